//! The lines of requests that a worker has named lately.
//!
//! What a line asks for is the same each time: it rests on the bytes of the line, on the settings of its
//! location and, for some, on what a few fields say. What a body says too is never kept, and neither is a
//! decision.

use core::cell::RefCell;
use std::rc::Rc;

use super::named::Named;
use crate::platform::Fields;
use crate::platform::operation::Resources;
use crate::policy::plain::Asked;
use crate::request::{Field, Length, Request, Upstream, Uri};
use crate::text::bytes;
use crate::text::hash::hash;

/// The lines of requests that a worker has named lately: 1 MB of usual lines, 5 MB at most.
///
/// Each has two places, by its hash. A new one takes the first of them, what was there the second.
#[derive(Debug, Default)]
pub struct RouteCache {
    /// None before the first line is kept, else [`RouteCache::ROOM`].
    places: Vec<Option<Box<Entry>>>,
}

/// How long a line may be that is kept: its path and its query.
const MAX_LINE: usize = 256;

/// How much one may name that is kept.
const MAX_RESOURCES: usize = 4;

/// How many fields one may rest on, and how long their values may be.
const MAX_FIELDS: usize = 4;
const MAX_VALUE: usize = 128;

/// What a line asks for.
#[derive(Debug)]
pub(crate) struct Known {
    /// For variables and messages.
    pub(super) named: Rc<Named>,
    /// What is asked of a policy, but for what is named.
    pub(super) asked: Asked<'static>,
    /// What is named.
    pub(super) resources: Resources<'static>,
}

/// The line of a request, and the number of the settings by which it is named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'r> {
    shape: Shape,
    /// The path, with the query behind it unless it is decoded.
    path: &'r [u8],
    /// The query of a path that is decoded.
    query: &'r [u8],
    /// Whether the request has a body, or had one.
    has_body: bool,
}

/// All of a line but its path and its query: compared as three words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Shape {
    location: usize,
    method: u64,
    /// How long the method, the path and the query are, and what the latter are.
    lengths: [u16; 4],
}

/// What a request says in a field: its name in lower case, and the value if it is there.
#[derive(Debug)]
struct Said {
    name: Box<str>,
    value: Option<Box<[u8]>>,
}

/// The fields of a request as the naming asks for them.
pub(crate) struct FieldsOf<'r> {
    request: &'r dyn Request,
    /// What it was told; `None` if that is too much to be kept.
    told: RefCell<Option<Vec<Said>>>,
}

#[derive(Debug)]
struct Entry {
    shape: Shape,
    /// Path and query, one behind the other.
    text: Box<[u8]>,
    /// What was asked for besides.
    fields: Box<[Said]>,
    /// Whether a body would say more.
    is_bodiless: bool,
    known: Rc<Known>,
}

impl<'r> Line<'r> {
    /// The line of a request; `None` if it is too long. `is_read` says that a body of it was read.
    #[inline(always)]
    pub(super) fn of(location: usize, upstream: &Upstream<'r>, is_read: bool) -> Option<Self> {
        let Upstream { method, uri, length } = *upstream;
        let (path, query) = match uri {
            Uri::Sent(line) => (line, None),
            Uri::Decoded { path, query } => (path, query),
        };
        let form = u16::from(uri.is_decoded()) << 1 | u16::from(query.is_some());
        let query = query.unwrap_or_default();
        if method.len() > 8 || path.len().saturating_add(query.len()) > MAX_LINE {
            return None;
        }
        let size = |text: &[u8]| u16::try_from(text.len()).unwrap_or(u16::MAX);
        let lengths = [size(method), size(path), size(query), form];
        let shape = Shape { location, method: bytes::word(method, 0), lengths };
        let has_body = is_read || length != Length::None;
        Some(Self { shape, path, query, has_body })
    }

    /// Whether so much that it names may be kept, unless a body says more.
    pub(super) const fn may_be_kept(&self, count: usize, reads_body: bool) -> bool {
        count <= MAX_RESOURCES && !(reads_body && self.has_body)
    }

    /// Its first place; the second one is beside it.
    #[inline(always)]
    fn place(&self) -> usize {
        let Shape { location, method, .. } = self.shape;
        let begun = method ^ u64::try_from(location).unwrap_or(0);
        let mut hash = hash(begun, self.path);
        if !self.query.is_empty() {
            hash = self::hash(hash, self.query);
        }
        usize::try_from(hash >> 32).unwrap_or(0) & RouteCache::ROOM.wrapping_sub(1)
    }
}

impl<'r> FieldsOf<'r> {
    pub(crate) fn new(request: &'r dyn Request) -> Self {
        Self { request, told: RefCell::new(Some(Vec::new())) }
    }

    /// The request.
    pub(super) fn request(&self) -> &'r dyn Request {
        self.request
    }
}

impl Fields for FieldsOf<'_> {
    fn field(&self, name: &str) -> Field<'_> {
        let field = self.request.field(name);
        if let Ok(mut told) = self.told.try_borrow_mut() {
            let value = match field {
                Field::Absent => Some(None),
                Field::One(value) if value.len() <= MAX_VALUE => Some(Some(value.into())),
                Field::One(_) | Field::Several => None,
            };
            *told = told.take().zip(value).filter(|(all, _)| all.len() < MAX_FIELDS).map(
                |(mut all, value)| {
                    all.push(Said { name: name.into(), value });
                    all
                },
            );
        }
        field
    }
}

impl Said {
    fn is_of(&self, request: &dyn Request) -> bool {
        match (request.field(&self.name), &self.value) {
            (Field::Absent, None) => true,
            (Field::One(now), Some(then)) => *now == **then,
            _ => false,
        }
    }
}

impl Entry {
    #[inline(always)]
    fn is(&self, line: &Line<'_>, request: &dyn Request) -> bool {
        let Line { shape, path, query, has_body } = line;
        self.shape == *shape
            && !(self.is_bodiless && *has_body)
            && self.text.split_at_checked(path.len()).is_some_and(|(its, rest)| {
                // Nearly no request has a query apart.
                its == *path && (query.is_empty() || rest == *query)
            })
            && (self.fields.is_empty() || self.says_the_same(request))
    }
}

impl Entry {
    #[inline(never)]
    fn says_the_same(&self, request: &dyn Request) -> bool {
        self.fields.iter().all(|said| said.is_of(request))
    }
}

impl RouteCache {
    /// How many lines there is room for: a power of two.
    pub const ROOM: usize = 2048;

    /// What the line of a request asks for, if the worker has named it lately.
    #[inline(always)]
    pub(super) fn find(&self, line: &Line<'_>, request: &dyn Request) -> Option<&Rc<Known>> {
        let first = line.place();
        let entry = |place: usize| self.places.get(place)?.as_deref();
        let is = |entry: &&Entry| entry.is(line, request);
        let found = entry(first).filter(is).or_else(|| entry(first ^ 1).filter(is))?;
        Some(&found.known)
    }

    /// Keeps what a line asks for, as the fields say that it was named by; unless they say much.
    /// `reads_body` says that a body would say more.
    pub(super) fn keep(
        &mut self,
        line: &Line<'_>,
        fields: &FieldsOf<'_>,
        reads_body: bool,
        known: &Rc<Known>,
    ) {
        let Some(fields) = fields.told.take() else { return };
        self.places.resize_with(Self::ROOM, || None);
        let first = line.place();
        let before = self.places.get_mut(first).and_then(Option::take);
        if let Some(second) = self.places.get_mut(first ^ 1)
            && before.is_some()
        {
            *second = before;
        }
        if let Some(place) = self.places.get_mut(first) {
            let text = [line.path, line.query].concat().into();
            let (shape, fields, is_bodiless) = (line.shape, fields.into(), reads_body);
            let known = Rc::clone(known);
            *place = Some(Box::new(Entry { shape, text, fields, is_bodiless, known }));
        }
    }

    /// How many lines it keeps.
    pub fn len(&self) -> usize {
        self.places.iter().flatten().count()
    }

    /// Whether it keeps none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
