//! How a row of the table is written: what most rows have in common is said here once.

use http::Method;

use super::{Endpoint, EndpointKind, Gives, ModelAt, ObjectKind, StreamDialect, StreamEnd, Takes};

/// The objects that the parameters of a path name, by the parameters' names.
pub(super) type Names = &'static [(&'static str, ObjectKind)];

/// Reads something. May be done as often as one likes.
pub(super) const fn get(template: &'static str, kind: EndpointKind, names: Names) -> Endpoint {
    row(Method::GET, template, kind, names).repeatable()
}

/// Removes something: done twice it is no more gone than done once.
pub(super) const fn delete(template: &'static str, kind: EndpointKind, names: Names) -> Endpoint {
    row(Method::DELETE, template, kind, names).gives(Gives::Little).repeatable()
}

/// Makes or changes something at the upstream, from JSON: not to be done twice.
pub(super) const fn post(template: &'static str, kind: EndpointKind, names: Names) -> Endpoint {
    row(Method::POST, template, kind, names).takes(Takes::Json)
}

/// Asks a model that the body must name. Doing it twice costs twice, and nothing more.
pub(super) const fn ask(template: &'static str, kind: EndpointKind) -> Endpoint {
    post(template, kind, &[]).model(ModelAt::Body { required: true }).repeatable()
}

/// Whatever it is, in either direction.
pub(super) const fn anything(template: &'static str, kind: EndpointKind) -> Endpoint {
    row(Method::POST, template, kind, &[]).takes(Takes::Anything).gives(Gives::Bytes)
}

/// Opens a WebSocket, which may be tried as often as one likes: until it is open nothing has been asked.
pub(super) const fn socket(template: &'static str, kind: EndpointKind, names: Names) -> Endpoint {
    row(Method::GET, template, kind, names).model(ModelAt::Query).gives(Gives::Socket).repeatable()
}

const fn row(method: Method, template: &'static str, kind: EndpointKind, names: Names) -> Endpoint {
    Endpoint {
        method,
        template,
        kind,
        model: ModelAt::Nowhere,
        takes: Takes::Nothing,
        gives: Gives::Json,
        dialect: StreamDialect::Chat,
        ends: StreamEnd::Unannounced,
        names,
        makes: None,
        lists: None,
        repeatable: false,
        files: &[],
    }
}

// === impl Endpoint ===

impl Endpoint {
    pub(super) const fn model(mut self, model: ModelAt) -> Self {
        self.model = model;
        self
    }

    pub(super) const fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    /// Takes forms that bring a file, or something in its place, under one of these names.
    pub(super) const fn files(mut self, names: &'static [&'static str]) -> Self {
        self.files = names;
        self
    }

    pub(super) const fn gives(mut self, gives: Gives) -> Self {
        self.gives = gives;
        self
    }

    /// Streams when asked to.
    pub(super) const fn streams(mut self, dialect: StreamDialect, ends: StreamEnd) -> Self {
        if matches!(self.gives, Gives::Json) {
            self.gives = Gives::Events;
        }
        self.dialect = dialect;
        self.ends = ends;
        self
    }

    pub(super) const fn makes(mut self, kind: ObjectKind) -> Self {
        self.makes = Some(kind);
        self
    }

    pub(super) const fn lists(mut self, kind: ObjectKind) -> Self {
        self.lists = Some(kind);
        self
    }

    pub(super) const fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }
}
