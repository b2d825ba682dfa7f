//! Kafka's LIST values: words between commas. Knows nothing of what the words mean.

/// The elements, each without the blanks around it; an empty text has none.
pub fn elements(text: &str) -> Vec<&str> {
    let text = text.trim();
    if text.is_empty() { Vec::new() } else { text.split(',').map(str::trim).collect() }
}

/// What IncrementalAlterConfigs APPEND makes of a list: elements that are there already stay where
/// they are.
pub fn append(current: &str, addition: &str) -> String {
    let mut list = elements(current);
    for element in elements(addition) {
        if !list.contains(&element) {
            list.push(element);
        }
    }
    list.join(",")
}

/// What IncrementalAlterConfigs SUBTRACT makes of a list; elements that are not there are ignored.
pub fn subtract(current: &str, removal: &str) -> String {
    let removal = elements(removal);
    let kept: Vec<&str> =
        elements(current).into_iter().filter(|element| !removal.contains(element)).collect();
    kept.join(",")
}
