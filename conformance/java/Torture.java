// Apache Kafka's Java clients under a broker that is killed again and again: one JSON object a line on standard
// output, see pure/ottla-judge/src/lines.rs. Goes on until standard input ends, then waits for every outcome.

import java.io.BufferedWriter;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Torture {
    static final String BOOTSTRAP = System.getenv("BOOTSTRAP");
    static final long SEED = Long.parseLong(System.getenv().getOrDefault("SEED", "1"));
    static final int RATE = Integer.parseInt(System.getenv().getOrDefault("RATE", "150"));
    static final String GROUP = System.getenv("GROUPS_READ").split(",")[0];
    static final List<TopicPartition> PLACES = new ArrayList<>();
    static final AtomicBoolean stopping = new AtomicBoolean();
    static final BufferedWriter out =
        new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8), 1 << 16);

    static String now() {
        Instant now = Instant.now();
        return Long.toString(now.getEpochSecond() * 1_000_000_000L + now.getNano());
    }

    static void note(String who, String event, TopicPartition place, String value, long offset, String more) {
        StringBuilder line = new StringBuilder(160);
        synchronized (out) {
            line.append("{\"t\":").append(now()).append(",\"who\":\"").append(who).append("\",\"ev\":\"").append(event);
            line.append('"');
            if (place != null) {
                line.append(",\"topic\":\"").append(place.topic()).append("\",\"p\":").append(place.partition());
            }
            if (value != null) line.append(",\"v\":\"").append(value).append('"');
            if (offset >= 0) line.append(",\"o\":").append(offset);
            line.append(more).append("}\n");
            try {
                out.append(line);
            } catch (java.io.IOException error) {
                System.exit(1);
            }
        }
    }

    static Properties common() {
        Properties p = new Properties();
        p.put("bootstrap.servers", BOOTSTRAP);
        p.put("reconnect.backoff.ms", 20);
        p.put("reconnect.backoff.max.ms", 250);
        p.put("retry.backoff.ms", 50);
        p.put("retry.backoff.max.ms", 250);
        p.put("request.timeout.ms", 10000);
        return p;
    }

    static String filling(Random chance) {
        int size = chance.nextInt(10) > 0 ? List.of(0, 10, 100, 300).get(chance.nextInt(4)) : chance.nextInt(30000);
        if (chance.nextBoolean()) return "y".repeat(size);
        StringBuilder text = new StringBuilder(size);
        while (text.length() < size) text.append(Long.toHexString(chance.nextLong()));
        return text.toString();
    }

    static void produce(String who, boolean idempotent, String compression) {
        Random chance = new Random(SEED * 31 + who.hashCode());
        Properties p = common();
        p.put(ProducerConfig.ACKS_CONFIG, "all");
        p.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, idempotent);
        p.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, compression);
        p.put(ProducerConfig.LINGER_MS_CONFIG, 3);
        p.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 120000);
        p.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 120000);
        if (idempotent) note(who, "idempotent", null, null, -1, "");
        AtomicInteger waiting = new AtomicInteger();
        try (var producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            for (int count = 0; !stopping.get(); ) {
                for (int burst = 1 + chance.nextInt(60); burst > 0; burst--, count++) {
                    TopicPartition place = PLACES.get(chance.nextInt(PLACES.size()));
                    String value = who + ":" + count;
                    note(who, "send", place, value, -1, "");
                    waiting.incrementAndGet();
                    var record = new ProducerRecord<String, String>(
                        place.topic(), place.partition(), null, value + "|" + filling(chance));
                    producer.send(record, (metadata, error) -> {
                        waiting.decrementAndGet();
                        if (error == null) {
                            note(who, "ack", place, value, metadata.offset(), "");
                        } else {
                            note(who, "fail", place, value, -1, "");
                            if (error instanceof OutOfOrderSequenceException) {
                                note(who, "wrong", null, null, -1, ",\"text\":\"a sequence out of order\"");
                            }
                        }
                    });
                }
                while (waiting.get() > 3000 && !stopping.get()) Thread.sleep(20);
                Thread.sleep(chance.nextInt(Math.max(1, 60000 / RATE)));
            }
            producer.flush();
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    static void consume(String who) {
        Random chance = new Random(SEED * 37 + who.hashCode());
        for (int life = 1; !stopping.get(); life++) {
            try {
                membership(who + "." + life, chance);
            } catch (RuntimeException error) {
                System.err.println(who + ": " + error);
            }
        }
    }

    static void membership(String who, Random chance) {
        Properties p = common();
        p.put(ConsumerConfig.GROUP_ID_CONFIG, GROUP);
        p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        p.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        p.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 1500);
        p.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 200);
        p.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, 100);
        p.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 20000);
        p.put(ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG,
            "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
        try (var consumer = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer())) {
            Map<TopicPartition, OffsetAndMetadata> read = new HashMap<>();
            var listener = new ConsumerRebalanceListener() {
                public void onPartitionsRevoked(Collection<TopicPartition> gone) { rebalanced(gone); }
                public void onPartitionsLost(Collection<TopicPartition> gone) { rebalanced(gone); }
                public void onPartitionsAssigned(Collection<TopicPartition> come) { rebalanced(come); }
                // Others may have read on from here; what was read is committed by whoever reads it again.
                void rebalanced(Collection<TopicPartition> places) {
                    places.forEach(read::remove);
                    note(who, "seek", null, null, -1, "");
                }
            };
            consumer.subscribe(PLACES.stream().map(TopicPartition::topic).distinct().toList(), listener);
            long leave = System.nanoTime() + (5 + chance.nextInt(35)) * 1_000_000_000L;
            long due = System.nanoTime();
            while (!stopping.get() && System.nanoTime() < leave) {
                for (var record : consumer.poll(Duration.ofMillis(100))) {
                    TopicPartition place = new TopicPartition(record.topic(), record.partition());
                    String value = record.value().substring(0, record.value().indexOf('|'));
                    note(who, "read", place, value, record.offset(), "");
                    read.put(place, new OffsetAndMetadata(record.offset() + 1));
                }
                if (read.isEmpty() || System.nanoTime() < due) continue;
                due = System.nanoTime() + (100 + chance.nextInt(900)) * 1_000_000L;
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>(read);
                read.clear();
                String group = ",\"group\":\"" + GROUP + "\"";
                offsets.forEach((place, offset) ->
                    note(who, "try_commit", place, null, offset.offset(), group));
                try {
                    consumer.commitSync(offsets);
                    offsets.forEach((place, offset) ->
                        note(who, "commit", place, null, offset.offset(), group));
                } catch (org.apache.kafka.common.KafkaException error) {
                    // Nothing is known to be committed; the next one covers it.
                }
            }
        }
    }

    public static void main(String[] args) throws Exception {
        // What the client's log says is no part of the history.
        System.setOut(System.err);
        for (String word : System.getenv("TOPICS").split(",")) {
            String[] parts = word.split(":");
            for (int p = 0; p < Integer.parseInt(parts[1]); p++) PLACES.add(new TopicPartition(parts[0], p));
        }
        List<Thread> work = new ArrayList<>(List.of(
            new Thread(() -> produce("javaplain", false, "none")),
            new Thread(() -> produce("javaonce", true, "lz4")),
            new Thread(() -> consume("javaread0")),
            new Thread(() -> consume("javaread1"))));
        work.forEach(Thread::start);
        Thread flushing = new Thread(() -> {
            while (true) {
                try {
                    Thread.sleep(100);
                    synchronized (out) { out.flush(); }
                } catch (Exception error) {
                    return;
                }
            }
        });
        flushing.setDaemon(true);
        flushing.start();
        while (System.in.read() >= 0) { }
        stopping.set(true);
        for (Thread thread : work) thread.join();
        synchronized (out) { out.flush(); }
    }
}
