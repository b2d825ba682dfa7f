//! The `keys!` macro: a row makes a field of a typed snapshot and one `KeyDef`. Declares no key.

/// Rows of one group of keys. `fields` are typed fields of the struct; `shared` are in effect
/// through another key that draws its default from them; `accepted` change nothing here and say why.
macro_rules! keys {
    (
        $(#[doc = $group_doc:literal])+
        $group:ident in $scope:ident;
        fields {$(
            $(#[doc = $doc:literal])+
            $field:ident: $type:ty = $default:tt, $check:expr, $name:literal,
            $update:ident, $importance:ident $($flag:ident)? $(, from $synonyms:expr)?;
        )*}
        shared {$(
            $(#[doc = $shared_doc:literal])+
            $shared_type:ident $shared_name:literal = $shared_default:tt, $shared_check:expr,
            $shared_update:ident, $shared_importance:ident
            $($shared_flag:ident)? $(, from $shared_synonyms:expr)?;
        )*}
        accepted {$(
            $(#[doc = $accepted_doc:literal])+
            $accepted_type:ident $accepted_name:literal = $accepted_default:tt, $accepted_check:expr,
            $accepted_update:ident, $accepted_importance:ident
            $($accepted_flag:ident)? $(, from $accepted_synonyms:expr)? => $reason:expr;
        )*}
    ) => {
        $(#[doc = $group_doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $group {$(
            $(#[doc = $doc])+
            pub $field: $type,
        )*}

        impl $group {
            pub const KEYS: &'static [$crate::definition::KeyDef] = &[
                $($crate::definition::KeyDef {
                    name: $name,
                    value_type: <$type as $crate::value::ConfigValue>::TYPE,
                    default: default_text!($default),
                    check: $check,
                    raw_doc: concat!($($doc),+),
                    importance: $crate::definition::Importance::$importance,
                    update: $crate::definition::UpdateMode::$update,
                    scope: $crate::definition::Scope::$scope,
                    synonyms: synonyms_of!($($synonyms)?),
                    internal: is_internal!($($flag)?),
                    effect: $crate::definition::Effect::InEffect,
                },)*
                $($crate::definition::KeyDef {
                    name: $shared_name,
                    value_type: $crate::definition::ConfigType::$shared_type,
                    default: default_text!($shared_default),
                    check: $shared_check,
                    raw_doc: concat!($($shared_doc),+),
                    importance: $crate::definition::Importance::$shared_importance,
                    update: $crate::definition::UpdateMode::$shared_update,
                    scope: $crate::definition::Scope::$scope,
                    synonyms: synonyms_of!($($shared_synonyms)?),
                    internal: is_internal!($($shared_flag)?),
                    effect: $crate::definition::Effect::InEffect,
                },)*
                $($crate::definition::KeyDef {
                    name: $accepted_name,
                    value_type: $crate::definition::ConfigType::$accepted_type,
                    default: default_text!($accepted_default),
                    check: $accepted_check,
                    raw_doc: concat!($($accepted_doc),+),
                    importance: $crate::definition::Importance::$accepted_importance,
                    update: $crate::definition::UpdateMode::$accepted_update,
                    scope: $crate::definition::Scope::$scope,
                    synonyms: synonyms_of!($($accepted_synonyms)?),
                    internal: is_internal!($($accepted_flag)?),
                    effect: $crate::definition::Effect::Accepted($reason),
                },)*
            ];

            /// Reads every field; what is wrong is collected in the reader.
            // A group without fields of its own has nothing to read.
            #[allow(dead_code, unused_variables, clippy::too_many_lines)]
            pub(crate) fn read(reader: &mut $crate::reader::Reader<'_>) -> Option<Self> {
                $(let $field = reader.read::<$type>($name);)*
                Some(Self { $($field: $field?,)* })
            }
        }
    };
}

macro_rules! default_text {
    (null) => {
        None
    };
    ($text:literal) => {
        Some($text)
    };
}

macro_rules! synonyms_of {
    () => {
        &[]
    };
    ($synonyms:expr) => {
        $synonyms
    };
}

macro_rules! is_internal {
    () => {
        false
    };
    (internal) => {
        true
    };
}
