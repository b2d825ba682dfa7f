// franz-go against the broker at $BOOTSTRAP: one `ok` or `not ok` line a check.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	bootstrap = func() string {
		if b := os.Getenv("BOOTSTRAP"); b != "" {
			return b
		}
		return "127.0.0.1:9092"
	}()
	nonce    = fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixMilli())
	failures = 0
)

func check(name string, body func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := body(ctx); err != nil {
		failures++
		fmt.Printf("not ok %s: %s\n", name, strings.SplitN(err.Error(), "\n", 2)[0])
		return
	}
	fmt.Printf("ok %s\n", name)
}

func client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(strings.Split(bootstrap, ",")...), kgo.AllowAutoTopicCreation()}, opts...)...)
	if err != nil {
		panic(err)
	}
	return cl
}

func produce(ctx context.Context, topic string, count int, opts ...kgo.Opt) error {
	cl := client(opts...)
	defer cl.Close()
	records := make([]*kgo.Record, count)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Value: []byte(fmt.Sprintf("%s record %d", topic, i))}
	}
	return cl.ProduceSync(ctx, records...).FirstErr()
}

func read(ctx context.Context, count int, opts ...kgo.Opt) ([]*kgo.Record, error) {
	cl := client(append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	defer cl.Close()
	var got []*kgo.Record
	for len(got) < count {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		got = append(got, fetches.Records()...)
	}
	if strings.Contains(fmt.Sprint(cl.GroupMetadata()), "g-") {
		return got, cl.CommitUncommittedOffsets(ctx)
	}
	return got, nil
}

func expect(got []*kgo.Record, topic string, count int) error {
	if len(got) != count {
		return fmt.Errorf("%d records, wanted %d", len(got), count)
	}
	for i, r := range got {
		if want := fmt.Sprintf("%s record %d", topic, i); string(r.Value) != want || r.Offset != int64(i) {
			return fmt.Errorf("record %d is %q at %d", i, r.Value, r.Offset)
		}
	}
	return nil
}

func roundTrip(name string, count int, opts ...kgo.Opt) func(context.Context) error {
	return func(ctx context.Context) error {
		topic := name + "-" + nonce
		if err := produce(ctx, topic, count, opts...); err != nil {
			return err
		}
		got, err := read(ctx, count, kgo.ConsumeTopics(topic))
		if err != nil {
			return err
		}
		return expect(got, topic, count)
	}
}

func main() {
	check("idempotent produce, acks=all, and consume", roundTrip("f-idem", 5000))
	check("acks=1", roundTrip("f-acks1", 100, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()))
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		check("compression "+name, roundTrip("f-"+name, 2000, kgo.ProducerBatchCompression(codec)))
	}
	check("groups: cooperative-sticky, commit, resume", groups)
	check("two members of a group", members)
	check("static member", static)
	check("admin: topics", topics)
	check("admin: configs", configs)
	check("admin: offsets and delete records", offsets)
	check("admin: groups", adminGroups)
	if failures > 0 {
		os.Exit(1)
	}
}

func groups(ctx context.Context) error {
	topic, group := "f-group-"+nonce, "g-"+nonce
	if err := produce(ctx, topic, 100); err != nil {
		return err
	}
	opts := []kgo.Opt{kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.DisableAutoCommit()}
	cl := client(append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	count := 0
	for count < 100 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		count += fetches.NumRecords()
	}
	if err := cl.CommitUncommittedOffsets(ctx); err != nil {
		return err
	}
	cl.Close()
	if err := produce(ctx, topic, 1); err != nil {
		return err
	}
	again := client(append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	defer again.Close()
	fetches := again.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		return err
	}
	if records := fetches.Records(); len(records) != 1 || records[0].Offset != 100 {
		return fmt.Errorf("resumed with %d records at %v", len(records), records[0].Offset)
	}
	return nil
}

func members(ctx context.Context) error {
	topic, group := "f-members-"+nonce, "g-members-"+nonce
	admin := client()
	defer admin.Close()
	if _, err := kadm.NewClient(admin).CreateTopic(ctx, 4, 1, nil, topic); err != nil {
		return err
	}
	owned := make(chan [2]int, 100)
	start := func(id int) *kgo.Client {
		count := 0
		return client(kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.HeartbeatInterval(300*time.Millisecond),
			kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
				count += len(m[topic])
				owned <- [2]int{id, count}
			}),
			kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
				count -= len(m[topic])
				owned <- [2]int{id, count}
			}))
	}
	has := map[int]int{}
	until := func(one, two int) error {
		for has[1] != one || has[2] != two {
			select {
			case o := <-owned:
				has[o[0]] = o[1]
			case <-ctx.Done():
				return fmt.Errorf("never %d and %d: %v", one, two, has)
			}
		}
		return nil
	}
	one := start(1)
	defer one.Close()
	if err := until(4, 0); err != nil {
		return err
	}
	two := start(2)
	if err := until(2, 2); err != nil {
		return err
	}
	two.Close()
	return until(4, 0)
}

func static(ctx context.Context) error {
	topic, group := "f-static-"+nonce, "g-static-"+nonce
	if err := produce(ctx, topic, 10); err != nil {
		return err
	}
	for range 2 {
		cl := client(kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.InstanceID("one"), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err := cl.PollFetches(ctx).Err(); err != nil {
			return err
		}
		cl.Close()
	}
	return nil
}

func topics(ctx context.Context) error {
	cl := client()
	defer cl.Close()
	admin := kadm.NewClient(cl)
	topic := "f-admin-" + nonce
	if _, err := admin.CreateTopic(ctx, 3, 1, map[string]*string{"retention.ms": kadm.StringPtr("5000000")}, topic); err != nil {
		return err
	}
	if _, err := admin.CreateTopic(ctx, 3, 1, nil, topic); !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("created twice: %v", err)
	}
	if _, err := admin.UpdatePartitions(ctx, 5, topic); err != nil {
		return err
	}
	listed, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	if n := len(listed[topic].Partitions); n != 5 {
		return fmt.Errorf("%d partitions", n)
	}
	if _, err := admin.DeleteTopic(ctx, topic); err != nil {
		return err
	}
	listed, err = admin.ListTopics(ctx)
	if err == nil && listed.Has(topic) {
		err = errors.New("still there")
	}
	return err
}

func configs(ctx context.Context) error {
	cl := client()
	defer cl.Close()
	admin := kadm.NewClient(cl)
	topic := "f-configs-" + nonce
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, topic); err != nil {
		return err
	}
	if _, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("1234567")}}, topic); err != nil {
		return err
	}
	described, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return err
	}
	for _, c := range described[0].Configs {
		if c.Key == "retention.ms" && c.MaybeValue() == "1234567" {
			return nil
		}
	}
	return errors.New("retention.ms is not 1234567")
}

func offsets(ctx context.Context) error {
	topic := "f-offsets-" + nonce
	if err := produce(ctx, topic, 10); err != nil {
		return err
	}
	cl := client()
	defer cl.Close()
	admin := kadm.NewClient(cl)
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	if o, _ := ends.Lookup(topic, 0); o.Offset != 10 {
		return fmt.Errorf("end offset %d", o.Offset)
	}
	var to kadm.Offsets
	to.AddOffset(topic, 0, 4, -1)
	if _, err := admin.DeleteRecords(ctx, to); err != nil {
		return err
	}
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	if o, _ := starts.Lookup(topic, 0); o.Offset != 4 {
		return fmt.Errorf("start offset %d", o.Offset)
	}
	return nil
}

func adminGroups(ctx context.Context) error {
	cl := client()
	defer cl.Close()
	admin := kadm.NewClient(cl)
	group := "g-" + nonce
	lags, err := admin.Lag(ctx, group)
	if err != nil {
		return err
	}
	if lag := lags[group].Lag.Total(); lag != 1 {
		return fmt.Errorf("lag %d", lag)
	}
	deleted, err := admin.DeleteGroups(ctx, group)
	if err != nil {
		return err
	}
	return deleted.Error()
}
