//! Keys, items and variants: the parts of a located value.

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor, value::StrDeserializer,
};

use super::{Located, LocatedError};
use crate::file::node::{Key, Location, Node};

/// The entries of a mapping.
pub(super) struct Entries<'n> {
    pub(super) entries: std::slice::Iter<'n, (Key, Node)>,
    pub(super) value: Option<&'n (Key, Node)>,
}

impl<'n> MapAccess<'n> for Entries<'n> {
    type Error = LocatedError;

    fn next_key_seed<K: DeserializeSeed<'n>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, LocatedError> {
        self.value = self.entries.next();
        let Some((key, _)) = self.value else {
            return Ok(None);
        };
        let name: StrDeserializer<'_, LocatedError> = key.text.as_str().into_deserializer();
        seed.deserialize(name)
            .map(Some)
            .map_err(|error| error.or_at(key.at))
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, LocatedError> {
        let Some((key, node)) = self.value else {
            return Err(de::Error::custom("a value is missing"));
        };
        seed.deserialize(Located {
            node,
            what: &key.text,
        })
        .map_err(|error| error.or_at(node.at))
    }
}

/// The items of a list.
pub(super) struct Items<'n> {
    pub(super) items: std::slice::Iter<'n, Node>,
    pub(super) what: &'n str,
}

impl<'n> SeqAccess<'n> for Items<'n> {
    type Error = LocatedError;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, LocatedError> {
        let Some(node) = self.items.next() else {
            return Ok(None);
        };
        let item = Located {
            node,
            what: self.what,
        };
        seed.deserialize(item)
            .map(Some)
            .map_err(|error| error.or_at(node.at))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// A variant: a word, or a mapping with one key.
pub(super) struct Choice<'n> {
    pub(super) name: &'n str,
    pub(super) at: Location,
    pub(super) content: Option<&'n Node>,
}

impl<'n> EnumAccess<'n> for Choice<'n> {
    type Error = LocatedError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), LocatedError> {
        let name: StrDeserializer<'_, LocatedError> = self.name.into_deserializer();
        let variant = seed
            .deserialize(name)
            .map_err(|error| error.or_at(self.at))?;
        Ok((variant, self))
    }
}

impl<'n> Choice<'n> {
    fn content(&self) -> Result<Located<'n>, LocatedError> {
        let message = || format!("`{}` needs settings of its own, in a mapping", self.name);
        let node = self.content.ok_or_else(|| de::Error::custom(message()));
        node.map(|node| Located {
            node,
            what: self.name,
        })
        .map_err(|error: LocatedError| error.or_at(self.at))
    }
}

impl<'n> VariantAccess<'n> for Choice<'n> {
    type Error = LocatedError;

    fn unit_variant(self) -> Result<(), LocatedError> {
        match self.content {
            Some(node) if !node.is_null() => {
                let message = format!("`{}` takes no settings", self.name);
                Err(LocatedError::words(message, "", &[]).or_at(node.at))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(
        self,
        seed: T,
    ) -> Result<T::Value, LocatedError> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'n>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, LocatedError> {
        self.content()?.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'n>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, LocatedError> {
        self.content()?.mapping(visitor)
    }
}
