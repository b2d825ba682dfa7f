// Apache Kafka's Java clients against the broker at $BOOTSTRAP: one `ok` or `not ok` line a check.

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Conformance {
    interface Body { void run() throws Exception; }

    static final String BOOTSTRAP = System.getenv().getOrDefault("BOOTSTRAP", "127.0.0.1:9092");
    static final String NONCE = ProcessHandle.current().pid() + "-" + System.currentTimeMillis();
    static int failures = 0;

    static void check(String name, Body body) {
        try {
            body.run();
            System.out.println("ok " + name);
        } catch (Throwable error) {
            failures++;
            Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
            System.out.println("not ok " + name + ": " + cause.toString().split("\n")[0]);
        }
    }

    static void expect(boolean held, Object what) {
        if (!held) throw new AssertionError(String.valueOf(what));
    }

    static KafkaProducer<String, String> producer(Map<String, Object> more) {
        Properties p = new Properties();
        p.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, BOOTSTRAP);
        p.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 20000);
        p.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 30000);
        p.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 10000);
        p.putAll(more);
        return new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(Map<String, Object> more) {
        Properties p = new Properties();
        p.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, BOOTSTRAP);
        p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        p.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        p.putAll(more);
        return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    }

    static void produce(String topic, int count, Map<String, Object> more) throws Exception {
        try (var producer = producer(more)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < count; i++) sent.add(producer.send(new ProducerRecord<>(topic, "k" + i, topic + " " + i)));
            for (var future : sent) future.get();
        }
    }

    static List<ConsumerRecord<String, String>> read(String topic, int count) {
        try (var consumer = consumer(Map.of())) {
            var at = new TopicPartition(topic, 0);
            consumer.assign(List.of(at));
            consumer.seekToBeginning(List.of(at));
            return poll(consumer, count);
        }
    }

    static List<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        long end = System.currentTimeMillis() + 30000;
        while (got.size() < count && System.currentTimeMillis() < end)
            consumer.poll(Duration.ofMillis(200)).forEach(got::add);
        expect(got.size() == count, got.size() + " records, wanted " + count);
        return got;
    }

    static void roundTrip(String name, int count, Map<String, Object> config) throws Exception {
        String topic = name + "-" + NONCE;
        produce(topic, count, config);
        var got = read(topic, count);
        for (int i = 0; i < count; i++)
            expect(got.get(i).value().equals(topic + " " + i) && got.get(i).offset() == i, got.get(i));
    }

    static void groups(String protocol, String assignor) throws Exception {
        String topic = "j-group-" + assignor + NONCE, group = "g-" + topic;
        try (var admin = admin()) {
            admin.createTopics(List.of(new NewTopic(topic, 4, (short) 1))).all().get();
        }
        produce(topic, 200, Map.of());
        Map<String, Object> config = new HashMap<>(Map.of("group.id", group, "session.timeout.ms", 10000,
            "heartbeat.interval.ms", 500, "partition.assignment.strategy", assignor));
        try (var one = consumer(config); var two = consumer(config)) {
            one.subscribe(List.of(topic));
            poll(one, 200);
            one.commitSync();
            two.subscribe(List.of(topic));
            long end = System.currentTimeMillis() + 30000;
            while ((one.assignment().size() != 2 || two.assignment().size() != 2) && System.currentTimeMillis() < end) {
                one.poll(Duration.ofMillis(100));
                two.poll(Duration.ofMillis(100));
            }
            Set<TopicPartition> all = new HashSet<>(one.assignment());
            all.addAll(two.assignment());
            expect(one.assignment().size() == 2 && all.size() == 4, one.assignment() + " and " + two.assignment());
        }
        try (var again = consumer(config)) {
            again.subscribe(List.of(topic));
            produce(topic, 1, Map.of());
            expect(poll(again, 1).size() == 1, "resumed");
        }
    }

    static Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", BOOTSTRAP, "default.api.timeout.ms", 30000));
    }

    static void topics() throws Exception {
        try (var admin = admin()) {
            String topic = "j-admin-" + NONCE;
            var created = admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1).configs(Map.of("retention.ms", "5000000"))));
            created.all().get();
            expect(created.config(topic).get().get("retention.ms").value().equals("5000000"), "echoed config");
            expect(!created.topicId(topic).get().toString().equals("AAAAAAAAAAAAAAAAAAAAAA"), "topic id");
            try {
                admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1))).all().get();
                throw new AssertionError("created twice");
            } catch (ExecutionException e) {
                expect(e.getCause() instanceof TopicExistsException, e);
            }
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
            var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
            expect(described.partitions().size() == 5, described);
            expect(admin.listTopics().names().get().contains(topic), "listed");
            admin.deleteTopics(List.of(topic)).all().get();
            expect(!admin.listTopics().names().get().contains(topic), "deleted");
        }
    }

    static void configs() throws Exception {
        try (var admin = admin()) {
            String topic = "j-configs-" + NONCE;
            admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            Collection<AlterConfigOp> set = List.of(
                new AlterConfigOp(new ConfigEntry("retention.ms", "777777"), AlterConfigOp.OpType.SET));
            admin.incrementalAlterConfigs(Map.of(resource, set)).all().get();
            Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            expect(config.get("retention.ms").value().equals("777777"), config.get("retention.ms"));
            expect(config.get("retention.ms").source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "source");
            int node = admin.describeCluster().nodes().get().iterator().next().id();
            var broker = new ConfigResource(ConfigResource.Type.BROKER, String.valueOf(node));
            expect(admin.describeConfigs(List.of(broker)).all().get().get(broker).entries().size() > 200, "broker configs");
        }
    }

    static void offsets() throws Exception {
        String topic = "j-offsets-" + NONCE;
        try (var producer = producer(Map.of())) {
            for (int i = 0; i < 10; i++)
                producer.send(new ProducerRecord<>(topic, 0, 1600000000000L + i * 1000, null, "v" + i)).get();
        }
        var at = new TopicPartition(topic, 0);
        try (var admin = admin(); var consumer = consumer(Map.of())) {
            Map<OffsetSpec, Long> wanted = Map.of(OffsetSpec.earliest(), 0L, OffsetSpec.latest(), 10L,
                OffsetSpec.maxTimestamp(), 9L, OffsetSpec.forTimestamp(1600000004500L), 5L);
            for (var want : wanted.entrySet())
                expect(admin.listOffsets(Map.of(at, want.getKey())).partitionResult(at).get().offset() == want.getValue(), want);
            Map<TopicPartition, OffsetAndTimestamp> found = consumer.offsetsForTimes(Map.of(at, 1600000002000L));
            expect(found.get(at).offset() == 2, found);
            long low = admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(at).get().lowWatermark();
            expect(low == 4, low);
            expect(consumer.beginningOffsets(List.of(at)).get(at) == 4, "beginning");
            expect(admin.describeProducers(List.of(at)).all().get().get(at) != null, "producers");
            expect(!admin.describeLogDirs(admin.describeCluster().nodes().get().stream().map(n -> n.id()).toList())
                .allDescriptions().get().isEmpty(), "log dirs");
        }
    }

    static void adminGroups() throws Exception {
        String topic = "j-offsets-" + NONCE, group = "j-admin-g-" + NONCE;
        var at = new TopicPartition(topic, 0);
        try (var admin = admin()) {
            admin.alterConsumerGroupOffsets(group, Map.of(at, new OffsetAndMetadata(6, "note"))).all().get();
            var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(at);
            expect(committed.offset() == 6 && committed.metadata().equals("note"), committed);
            expect(admin.listGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group)), "listed");
            admin.deleteConsumerGroupOffsets(group, Set.of(at)).all().get();
            admin.describeClassicGroups(List.of("g-j-group-org.apache.kafka.clients.consumer.RangeAssignor" + NONCE)).all().get();
        }
    }

    public static void main(String[] args) throws Exception {
        System.out.println("# kafka-clients " + org.apache.kafka.common.utils.AppInfoParser.getVersion());
        check("idempotent producer (the default)", () -> roundTrip("j-idem", 5000, Map.of()));
        check("acks=1, not idempotent", () -> roundTrip("j-acks1", 100, Map.of("acks", "1", "enable.idempotence", false)));
        for (String codec : List.of("gzip", "snappy", "lz4", "zstd"))
            check("compression " + codec, () -> roundTrip("j-" + codec, 2000, Map.of("compression.type", codec, "linger.ms", 20)));
        check("a record too large is refused", () -> {
            try (var producer = producer(Map.of("max.request.size", 5000000))) {
                producer.send(new ProducerRecord<>("j-large-" + NONCE, "x".repeat(2000000))).get();
                throw new AssertionError("accepted");
            } catch (ExecutionException e) {
                expect(e.getCause() instanceof RecordTooLargeException, e.getCause());
            }
        });
        for (String assignor : List.of("Range", "RoundRobin", "Sticky", "CooperativeSticky"))
            check("group with " + assignor + "Assignor",
                () -> groups("classic", "org.apache.kafka.clients.consumer." + assignor + "Assignor"));
        check("admin: topics", Conformance::topics);
        check("admin: configs", Conformance::configs);
        check("admin: offsets, delete records, producers, log dirs", Conformance::offsets);
        check("admin: groups", Conformance::adminGroups);
        System.exit(failures > 0 ? 1 : 0);
    }
}
