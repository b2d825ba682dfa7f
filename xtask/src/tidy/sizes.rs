//! No hand-written file over 600 lines, no function over 70.

use crate::source::Source;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// The report of what was measured, and the faults.
pub(super) fn check(rust: &[Source]) -> (String, Vec<String>) {
    let mut faults = Vec::new();
    let mut files = Vec::new();
    let mut functions = Vec::new();
    for file in rust.iter().filter(|file| !file.is_generated()) {
        let lines = file.text.lines().count();
        files.push(lines);
        if lines > FILE_LINES_MAX {
            faults.push(format!("{}: {lines} lines, over {FILE_LINES_MAX}", file.path));
        }
        for (name, start, length) in measure(&file.text) {
            functions.push(length);
            if length > FUNCTION_LINES_MAX {
                faults.push(format!("{}:{start}: fn {name} has {length} lines", file.path));
            }
        }
    }
    let report = format!("{}\n{}", row("files", &mut files), row("functions", &mut functions));
    (report, faults)
}

fn row(what: &str, sizes: &mut [usize]) -> String {
    sizes.sort_unstable();
    let at =
        |percent: usize| sizes.get(sizes.len().saturating_sub(1) * percent / 100).unwrap_or(&0);
    format!(
        "{what:<10} {:>6}   lines {:>7}   median {:>3}   90 % {:>3}   99 % {:>3}   longest {:>3}",
        sizes.len(),
        sizes.iter().sum::<usize>(),
        at(50),
        at(90),
        at(99),
        at(100)
    )
}

/// Name, first line and length of each function, from its `fn` to its closing brace.
///
/// rustfmt puts that brace at the indentation of the `fn`, which is all this relies on.
fn measure(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let Some(name) = function_name(code) else { continue };
        if code.ends_with(';') {
            continue;
        }
        if code.ends_with('}') {
            found.push((name, start + 1, 1));
            continue;
        }
        for (end, later) in lines.iter().enumerate().skip(start + 1) {
            let body = later.trim_start();
            if later.len() - body.len() != indent || body.is_empty() {
                continue;
            }
            if body.starts_with('}') {
                found.push((name, start + 1, end - start + 1));
                break;
            }
            if body.ends_with(';') {
                break;
            }
        }
    }
    found
}

fn function_name(code: &str) -> Option<String> {
    let mut words = code.split(' ');
    loop {
        match words.next()? {
            "fn" => break,
            "pub" | "async" | "const" | "unsafe" => {}
            word if word.starts_with("pub(") || word.starts_with("extern") => {}
            _ => return None,
        }
    }
    let name = words.next()?;
    let end = name.find(['(', '<']).unwrap_or(name.len());
    Some(name[..end].to_string())
}
