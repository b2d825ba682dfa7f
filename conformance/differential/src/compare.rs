//! Two lists of outcomes, field by field.

use ottla_protocol::json::Value;

use crate::allowed::Difference;

/// Every place where they are not the same.
pub(crate) fn compare(kafka: &[Value], ottla: &[Value]) -> Vec<Difference> {
    let mut found = Vec::new();
    for step in 0..kafka.len().max(ottla.len()) {
        let none = Value::Null;
        let mut path = Vec::new();
        let sides = (kafka.get(step).unwrap_or(&none), ottla.get(step).unwrap_or(&none));
        walk(step, &mut path, sides.0, sides.1, &mut found);
    }
    found
}

fn walk(
    step: usize,
    path: &mut Vec<String>,
    kafka: &Value,
    ottla: &Value,
    found: &mut Vec<Difference>,
) {
    match (kafka, ottla) {
        (Value::Object(k), Value::Object(o)) if path.is_empty() && !k.keys().eq(o.keys()) => {
            push(step, path, kafka, ottla, found);
        }
        (Value::Object(k), Value::Object(o)) => {
            let mut names: Vec<&String> = k.keys().chain(o.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                path.push(name.clone());
                let none = Value::Null;
                walk(step, path, k.get(name).unwrap_or(&none), o.get(name).unwrap_or(&none), found);
                path.pop();
            }
        }
        (Value::Array(k), Value::Array(o)) if k.len() == o.len() => {
            for (i, (kafka, ottla)) in k.iter().zip(o).enumerate() {
                path.push(i.to_string());
                walk(step, path, kafka, ottla, found);
                path.pop();
            }
        }
        (kafka, ottla) if kafka == ottla => {}
        (kafka, ottla) => push(step, path, kafka, ottla, found),
    }
}

fn push(step: usize, path: &[String], kafka: &Value, ottla: &Value, found: &mut Vec<Difference>) {
    let path = path.join("/");
    found.push(Difference { step, path, kafka: kafka.clone(), ottla: ottla.clone() });
}
