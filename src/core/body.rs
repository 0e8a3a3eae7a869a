//! Selected members of a request body, read in pieces: the body is never held.
//!
//! ```
//! use mesh_core::body::{Reader, Type, Use, Wanted};
//!
//! let wanted = Wanted::new(&[("/job_id", Use::Value)], None).unwrap();
//! let mut reader = Reader::new(Type::Json, &wanted);
//! for piece in [&br#"{"job_"#[..], br#"id": 42}"#] {
//!     reader.feed(piece).unwrap();
//! }
//! assert_eq!(reader.finish().unwrap().value(0, 0), Some("42"));
//! ```

mod extract;
mod form;
mod json;
mod media_type;
mod multipart;
mod wanted;

use extract::Kept;

pub use extract::Extract;
pub use media_type::Type;
pub use multipart::Boundary;
pub use wanted::{Use, Wanted, WantedError};

/// Why a body does not tell what is wanted of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyError {
    /// It does not follow the rules of its type, or holds something else than a name.
    Malformed,
    /// Servers may read it in more than one way.
    Ambiguous,
    /// It holds too much of what is wanted.
    TooLarge,
    /// It is of a type that is not read.
    WrongType,
}

/// Reads a body of one type.
#[derive(Debug)]
pub struct Reader<'w> {
    kind: Kind<'w>,
    is_empty: bool,
}

#[derive(Debug)]
enum Kind<'w> {
    Json(json::Reader<'w>),
    Form(form::Reader<'w>),
    Multipart(multipart::Reader<'w>),
    Absent(Kept),
}

impl<'w> Reader<'w> {
    /// Begins to read.
    pub fn new(kind: Type, wanted: &'w Wanted) -> Self {
        let kind = match kind {
            Type::Json => Kind::Json(json::Reader::new(wanted)),
            Type::Form => Kind::Form(form::Reader::new(wanted)),
            Type::Multipart(boundary) => Kind::Multipart(multipart::Reader::new(&boundary, wanted)),
            Type::Absent => Kind::Absent(Kept::new(wanted.places())),
        };
        Self { kind, is_empty: true }
    }

    /// Reads what comes next.
    ///
    /// # Errors
    ///
    /// [`BodyError`]; nothing else may be fed then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), BodyError> {
        self.is_empty &= bytes.is_empty();
        match &mut self.kind {
            Kind::Json(reader) => reader.feed(bytes),
            Kind::Form(reader) => reader.feed(bytes),
            Kind::Multipart(reader) => reader.feed(bytes),
            Kind::Absent(_) if self.is_empty => Ok(()),
            Kind::Absent(_) => Err(BodyError::WrongType),
        }
    }

    /// How many bytes of memory it takes now, about.
    pub fn held(&self) -> usize {
        let held = match &self.kind {
            Kind::Json(reader) => reader.held(),
            Kind::Form(reader) => reader.held(),
            Kind::Multipart(reader) => reader.held(),
            Kind::Absent(kept) => kept.size(),
        };
        held.saturating_add(size_of::<Self>())
    }

    /// What was found, if the body is whole. An empty body holds nothing.
    ///
    /// # Errors
    ///
    /// [`BodyError`].
    pub fn finish(self) -> Result<Extract, BodyError> {
        match self.kind {
            Kind::Json(reader) if self.is_empty => reader.into_extract(),
            Kind::Json(reader) => reader.finish(),
            Kind::Form(reader) => reader.finish(),
            Kind::Multipart(reader) if self.is_empty => reader.into_extract(),
            Kind::Multipart(reader) => reader.finish(),
            Kind::Absent(kept) => kept.finish(),
        }
    }
}
