//! docs/reference/configs.md is what the rows say. `UPDATE=1` writes it anew.

use std::path::Path;

#[test]
fn the_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configs.md");
    let page = ottla_config::reference::page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/reference/configs.md is stale: UPDATE=1 cargo test -p ottla-config"
    );
}
