//! `ottla perf` against a node: what it counts, which fields it has, how it ends. Never how fast.

use crate::commands::World;

/// The table of a run: its cells by column, counted from 0.
fn cells(table: &str) -> Vec<String> {
    let mut lines = table.lines();
    let header = lines.next().unwrap();
    let first = ["RECORDS", "MB", "SECONDS", "RECORDS/S", "MB/S", "P50", "MS"];
    assert!(header.split_whitespace().take(7).eq(first), "{header}");
    lines.next().unwrap().split_whitespace().map(str::to_owned).collect()
}

/// Whether a document has all fields, these counts among them.
fn assert_counts(json: &str, counts: &[&str]) {
    let fields = ["mb", "seconds", "records_per_second", "mb_per_second", "latency_ms", "failures"];
    for field in fields {
        assert!(json.contains(&format!("\"{field}\":")), "no {field} in {json}");
    }
    for count in counts {
        assert!(json.contains(count), "no {count} in {json}");
    }
}

#[test]
fn produce_sends_what_was_asked_for() {
    let world = World::new();
    world.out(&["topic", "create", "t", "-p", "3"]);
    let many = ["perf", "produce", "t", "--records", "2000", "--record-bytes", "100", "-z", "lz4"];
    let cells = cells(&world.out(&many));
    assert_eq!(cells.len(), 11, "{cells:?}");
    assert_eq!([&cells[0], &cells[1], &cells[10]], ["2000", "0.200", "0"]);
    // At a rate the seconds say how many.
    let rated = ["perf", "produce", "t", "--rate", "100", "--seconds", "0.5", "-o", "jsonl"];
    assert_counts(&world.out(&rated), &["\"records\":50,", "\"failures\":0,", "\"p999\":"]);
    for acks in ["0", "1"] {
        let unsure = ["perf", "produce", "t", "-n", "10", "--acks", acks, "-o", "json"];
        assert_counts(&world.out(&unsure), &["\"records\": 10,"]);
    }
    let sizes = world.out(&["consume", "t", "--exit", "-f", "%S\\n"]);
    assert_eq!(sizes.lines().filter(|line| *line == "100").count(), 2000);
    assert_eq!(sizes.lines().count(), 2070);
}

/// Requests that overtook each other on their way to the connection were refused.
#[test]
fn many_small_batches_at_once_keep_their_order() {
    let world = World::new();
    world.out(&["topic", "create", "t", "-p", "3"]);
    let hasty = ["perf", "produce", "t", "--rate", "2000", "--seconds", "1", "--linger", "0"];
    assert_counts(&world.out(&[&hasty[..], &["-o", "jsonl"]].concat()), &["\"records\":2000,"]);
}

#[test]
fn produce_says_why_records_failed() {
    let world = World::new();
    world.out(&["topic", "create", "t", "-c", "max.message.bytes=1000"]);
    let large = ["perf", "produce", "t", "-n", "3", "--record-bytes", "2000", "-o", "jsonl"];
    let ended = world.run(&large);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_counts(&ended.out, &["\"records\":0,", "\"failures\":3,", "\"latency_ms\":null"]);
    assert!(ended.err.contains("3 records failed"), "{ended:?}");
    assert!(ended.err.contains("max.message.bytes"), "{ended:?}");
    assert_eq!(world.run(&["perf", "produce", "t", "-n", "1", "--seconds", "1"]).code, Some(2));
    assert_eq!(world.run(&["perf", "produce", "t", "--rate", "0"]).code, Some(2));
}

#[test]
fn consume_reads_to_the_end_or_as_many_as_asked_for() {
    let world = World::new();
    world.out(&["topic", "create", "t", "-p", "2"]);
    world.out(&["perf", "produce", "t", "-n", "1500", "--record-bytes", "10"]);
    let cells = cells(&world.out(&["perf", "consume", "t"]));
    assert_eq!(cells.len(), 11, "{cells:?}");
    assert_eq!([&cells[0], &cells[1], &cells[5], &cells[10]], ["1500", "0.015", "-", "0"]);
    let some = world.out(&["perf", "consume", "t", "--records", "700", "-o", "jsonl"]);
    assert_counts(&some, &["\"records\":700,", "\"mb\":0.007,", "\"latency_ms\":null"]);
    let member = ["perf", "consume", "t", "-g", "g", "-o", "jsonl"];
    assert_counts(&world.out(&member), &["\"records\":1500,"]);
    // It committed what it read.
    assert_counts(&world.out(&member), &["\"records\":0,"]);
    let quiet = ["perf", "consume", "t", "--from", "end", "--seconds", "0.2", "-o", "jsonl"];
    assert_counts(&world.out(&quiet), &["\"records\":0,"]);
    assert_eq!(world.run(&["perf", "consume", "t", "--from", "end"]).code, Some(2));
    assert_eq!(world.run(&["perf", "consume", "nowhere"]).code, Some(5));
}

#[test]
fn latency_gets_every_record_back() {
    let world = World::new();
    world.out(&["topic", "create", "t", "-p", "2"]);
    // Somebody else's records do not disturb it.
    world.out(&["perf", "produce", "t", "-n", "5"]);
    let run = ["perf", "latency", "t", "--rate", "200", "--seconds", "0.5", "-o", "jsonl"];
    let counts = ["\"records\":100,", "\"mb\":0.01,", "\"failures\":0,", "\"p50\":", "\"max\":"];
    assert_counts(&world.out(&run), &counts);
    assert_eq!(world.run(&["perf", "latency", "t", "--record-bytes", "15"]).code, Some(2));
}
