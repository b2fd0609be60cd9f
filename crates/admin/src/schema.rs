//! What the admin JSON looks like, as data.
//!
//! One description serves three readers: [`crate::form`] refuses bodies that do not fit it, [`crate::openapi`]
//! prints it, and the tests hold every answer against it. So the document cannot say one thing and the code do
//! another.

use serde_json::{Map, Value, json};

/// One kind of JSON object.
#[derive(Debug)]
pub(crate) struct Schema {
    /// Its name in the document.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) about: &'static str,
    /// Its fields, in the order in which they are shown.
    pub(crate) fields: &'static [Field],
}

/// One field of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it may hold.
    pub(crate) kind: Kind,
    /// In a request: it must be given. In an answer: it is always there.
    pub(crate) required: bool,
    /// It may be `null`.
    pub(crate) nullable: bool,
    /// In a request: although it is required, an empty text will do.
    pub(crate) may_be_empty: bool,
    /// What it means.
    pub(crate) about: &'static str,
}

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A moment, RFC 3339 in UTC.
    Moment,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A list of numbers, `null` where none is known.
    Numbers,
    /// An object.
    Object(&'static Schema),
    /// A list of objects.
    Objects(&'static Schema),
    /// Anything.
    Any,
}

// === impl Field ===

impl Field {
    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, required: false, nullable: false, may_be_empty: false, about }
    }

    pub(crate) const fn text(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Text, about)
    }

    pub(crate) const fn integer(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Integer, about)
    }

    pub(crate) const fn number(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Number, about)
    }

    pub(crate) const fn flag(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Flag, about)
    }

    pub(crate) const fn moment(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Moment, about)
    }

    pub(crate) const fn word(
        name: &'static str,
        words: &'static [&'static str],
        about: &'static str,
    ) -> Self {
        Self::new(name, Kind::Word(words), about)
    }

    pub(crate) const fn texts(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Texts, about)
    }

    pub(crate) const fn numbers(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Numbers, about)
    }

    pub(crate) const fn object(name: &'static str, of: &'static Schema, about: &'static str) -> Self {
        Self::new(name, Kind::Object(of), about)
    }

    pub(crate) const fn objects(name: &'static str, of: &'static Schema, about: &'static str) -> Self {
        Self::new(name, Kind::Objects(of), about)
    }

    pub(crate) const fn any(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Any, about)
    }

    /// Must be given, or is always there.
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// May be an empty text although it is required.
    pub(crate) const fn or_empty(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    /// May be `null`.
    pub(crate) const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// Whether the value fits; the error is what it must be instead.
    pub(crate) fn accepts(&self, value: &Value) -> Result<(), String> {
        let fits = match self.kind {
            Kind::Text | Kind::Moment => value.is_string(),
            Kind::Integer => value.is_i64() || value.is_u64(),
            Kind::Number => value.is_number(),
            Kind::Flag => value.is_boolean(),
            Kind::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Kind::Texts => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
            Kind::Numbers => value
                .as_array()
                .is_some_and(|list| list.iter().all(|item| item.is_number() || item.is_null())),
            Kind::Object(_) => value.is_object(),
            Kind::Objects(_) => value.as_array().is_some_and(|list| list.iter().all(Value::is_object)),
            Kind::Any => true,
        };
        if fits || (self.nullable && value.is_null()) { Ok(()) } else { Err(self.wanted()) }
    }

    fn wanted(&self) -> String {
        let what = match self.kind {
            Kind::Text => "a text".to_owned(),
            Kind::Moment => "a moment in RFC 3339".to_owned(),
            Kind::Integer => "a whole number".to_owned(),
            Kind::Number => "a number".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Texts => "a list of texts".to_owned(),
            Kind::Numbers => "a list of numbers".to_owned(),
            Kind::Object(_) => "an object".to_owned(),
            Kind::Objects(_) => "a list of objects".to_owned(),
            Kind::Any => "a value".to_owned(),
        };
        if self.nullable { format!("must be {what} or null") } else { format!("must be {what}") }
    }

    fn document(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Integer => json!({"type": "integer", "format": "int64"}),
            Kind::Number => json!({"type": "number"}),
            Kind::Flag => json!({"type": "boolean"}),
            Kind::Moment => json!({"type": "string", "format": "date-time"}),
            Kind::Word(words) => json!({"type": "string", "enum": words}),
            Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Kind::Numbers => json!({"type": "array", "items": {"type": ["number", "null"]}}),
            Kind::Object(of) => json!({"allOf": [reference(of)]}),
            Kind::Objects(of) => json!({"type": "array", "items": reference(of)}),
            Kind::Any => json!({}),
        };
        if let Some(object) = schema.as_object_mut() {
            if self.nullable {
                make_nullable(object);
            }
            object.insert("description".to_owned(), self.about.into());
        }
        schema
    }
}

// === impl Schema ===

impl Schema {
    /// The field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The names of all fields, for people.
    pub(crate) fn field_names(&self) -> String {
        let names: Vec<&str> = self.fields.iter().map(|field| field.name).collect();
        names.join(", ")
    }

    /// The schema in the words of JSON Schema, as `OpenAPI` 3.1 takes it.
    pub(crate) fn document(&self) -> Value {
        let properties: Map<String, Value> =
            self.fields.iter().map(|field| (field.name.to_owned(), field.document())).collect();
        let required: Vec<&str> =
            self.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        json!({
            "type": "object",
            "description": self.about,
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    /// This schema and every schema that it mentions.
    pub(crate) fn visit(&'static self, seen: &mut Vec<&'static Schema>) {
        if seen.iter().any(|known| known.name == self.name) {
            return;
        }
        seen.push(self);
        for field in self.fields {
            if let Kind::Object(of) | Kind::Objects(of) = field.kind {
                of.visit(seen);
            }
        }
    }
}

/// The place of a schema in the document.
pub(crate) fn reference(schema: &Schema) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", schema.name)})
}

fn make_nullable(schema: &mut Map<String, Value>) {
    if let Some(of) = schema.remove("allOf") {
        let one = of.get(0).cloned().unwrap_or_default();
        schema.insert("anyOf".to_owned(), json!([one, {"type": "null"}]));
    } else if let Some(plain) = schema.remove("type") {
        schema.insert("type".to_owned(), json!([plain, "null"]));
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        }
    }
}
