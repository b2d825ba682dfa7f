//! Reads typed values by key out of anything that has texts, and collects what is wrong.

use crate::invalid::Invalid;
use crate::value::ConfigValue;

/// The text that is in effect for a key: nothing where it is null.
pub(crate) type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

pub(crate) struct Reader<'a> {
    lookup: &'a Lookup<'a>,
    pub(crate) errors: Vec<Invalid>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(lookup: &'a Lookup<'a>) -> Self {
        Self { lookup, errors: Vec::new() }
    }

    pub(crate) fn read<T: ConfigValue>(&mut self, name: &str) -> Option<T> {
        let text = (self.lookup)(name);
        match T::from_optional(text.as_deref()) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.errors.push(Invalid::new(name, text.as_deref(), reason));
                None
            }
        }
    }
}
