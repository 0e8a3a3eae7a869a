//! The list surgery against a model: the file is compiled here without the rest of the shell,
//! because the module itself links only inside Nginx.

#![expect(clippy::arithmetic_side_effects, reason = "tests may overflow and panic")]

use core::ffi::c_void;
use core::mem::size_of;
use core::ptr;
use std::collections::HashSet;

use nginx_sys::{ngx_list_part_t, ngx_list_t};
use proptest::prelude::*;

#[path = "../list.rs"]
mod list;

use list::{Elements, OutOfMemory, append, begin, push, retain, unshare};

/// As wide as two words, so that an element's address says more than its index.
type Element = [u64; 2];

/// A pool that knows what it gave out, and may run dry.
#[derive(Default)]
struct Pool {
    blocks: Vec<Box<[u64]>>,
    left: Option<usize>,
}

impl Pool {
    fn alloc(&mut self, size: usize) -> *mut c_void {
        if let Some(left) = &mut self.left {
            if *left == 0 {
                return ptr::null_mut();
            }
            *left -= 1;
        }
        // Filled with bytes that no test writes, so that reading beyond the elements shows.
        let mut block = vec![u64::MAX; size.div_ceil(8)].into_boxed_slice();
        let start = block.as_mut_ptr();
        self.blocks.push(block);
        start.cast()
    }

    /// How many bytes are left behind an address, within its block.
    fn room_at(&self, address: *mut c_void) -> usize {
        self.blocks
            .iter()
            .map(|block| block.as_ptr_range())
            .find(|range| range.contains(&address.cast_const().cast()))
            .map_or(0, |range| range.end as usize - address as usize)
    }
}

struct Subject {
    list: Box<ngx_list_t>,
    pool: Pool,
    model: Vec<(u64, usize)>,
    used: HashSet<usize>,
    next: u64,
}

impl Subject {
    fn new(nalloc: usize) -> Self {
        let mut pool = Pool::default();
        let elts = pool.alloc(nalloc * size_of::<Element>());
        let mut list = Box::new(ngx_list_t {
            last: ptr::null_mut(),
            part: ngx_list_part_t { elts, nelts: 0, next: ptr::null_mut() },
            size: size_of::<Element>(),
            nalloc,
            pool: ptr::null_mut(),
        });
        list.last = &raw mut list.part;
        Self { list, pool, model: Vec::new(), used: HashSet::new(), next: 0 }
    }

    fn retain(&mut self, keep: impl Fn(u64) -> bool) -> Result<usize, OutOfMemory> {
        let Self { list, pool, .. } = self;
        // SAFETY: the list is built as Nginx builds it; the pool aligns to eight bytes and keeps
        // every block.
        let removed = unsafe {
            retain(&raw mut **list, &mut |size| pool.alloc(size), &mut |element| {
                keep((*element.cast::<Element>())[0])
            })
        }?;
        let before = self.model.len();
        self.model.retain(|&(id, _)| keep(id));
        assert_eq!(removed, before - self.model.len());
        Ok(removed)
    }

    fn push(&mut self) -> Result<(), OutOfMemory> {
        let Self { list, pool, .. } = self;
        // SAFETY: as in `retain`; the element is written by `fill`.
        let element = unsafe { push(&raw mut **list, &mut |size| pool.alloc(size)) }?;
        self.fill(element);
        Ok(())
    }

    /// Adds elements in one block of their own.
    fn append(&mut self, count: usize) {
        let part = self.pool.alloc(size_of::<ngx_list_part_t>()).cast::<ngx_list_part_t>();
        let elements = self.pool.alloc(count * size_of::<Element>());
        for at in 0..count {
            // SAFETY: the block has room for that many.
            self.fill(unsafe { elements.byte_add(at * size_of::<Element>()) });
        }
        // SAFETY: as in `retain`; the part and the elements are the pool's.
        unsafe { append(&raw mut *self.list, part, elements, count) };
    }

    /// `ngx_list_push`, as `ngx_list.c` has it.
    fn push_as_nginx(&mut self) {
        let list = &mut *self.list;
        // SAFETY: as in `retain`.
        let element = unsafe {
            if (*list.last).nelts == list.nalloc {
                let part = self.pool.alloc(size_of::<ngx_list_part_t>()).cast::<ngx_list_part_t>();
                let elts = self.pool.alloc(list.nalloc * list.size);
                part.write(ngx_list_part_t { elts, nelts: 0, next: ptr::null_mut() });
                (*list.last).next = part;
                list.last = part;
            }
            let last = list.last;
            (*last).nelts += 1;
            (*last).elts.byte_add(((*last).nelts - 1) * list.size)
        };
        self.fill(element);
    }

    fn fill(&mut self, element: *mut c_void) {
        assert!(self.pool.room_at(element) >= size_of::<Element>(), "a push out of bounds");
        assert!(self.used.insert(element as usize), "a slot used twice");
        // SAFETY: the block has room for it.
        unsafe { element.cast::<Element>().write([self.next, self.next]) };
        self.model.push((self.next, element as usize));
        self.next += 1;
    }

    /// The elements that Nginx's written-out loop reads, and their addresses.
    fn read_as_nginx(&self) -> Vec<(u64, usize)> {
        let mut read = Vec::new();
        let mut part = &raw const self.list.part;
        let mut i = 0;
        // SAFETY: as in `retain`; what lies beyond an empty part is checked before it is read.
        unsafe {
            let mut elements = (*part).elts;
            loop {
                if i >= (*part).nelts {
                    if (*part).next.is_null() {
                        return read;
                    }
                    part = (*part).next;
                    elements = (*part).elts;
                    i = 0;
                }
                assert!(i < (*part).nelts, "an empty part is reached");
                let element = elements.byte_add(i * self.list.size);
                read.push(((*element.cast::<Element>())[0], element as usize));
                i += 1;
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.read_as_nginx(), self.model, "order, contents or places differ");
        // SAFETY: as in `retain`.
        let walked: Vec<_> = unsafe { Elements::of(&raw const *self.list) }
            .map(|element| element as usize)
            .collect();
        assert_eq!(walked, self.model.iter().map(|&(_, place)| place).collect::<Vec<_>>());
        let mut end = &raw const self.list.part;
        // SAFETY: as in `retain`.
        unsafe {
            while !(*end).next.is_null() {
                end = (*end).next;
            }
            assert_eq!(self.list.last.cast_const(), end);
            assert!(self.list.nalloc > 0);
            let room = self.pool.room_at((*end).elts) / size_of::<Element>();
            assert!(room >= self.list.nalloc, "nalloc promises room that is not there");
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Push(usize),
    PushAsNginx(usize),
    Retain { modulus: u64, rest: u64, dry_after: Option<usize> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..8usize).prop_map(Step::Append),
        (1..8usize).prop_map(Step::Push),
        (1..30usize).prop_map(Step::PushAsNginx),
        (1..6u64, 0..6u64, proptest::option::of(0..4usize))
            .prop_map(|(modulus, rest, dry_after)| Step::Retain { modulus, rest, dry_after }),
    ];
    proptest::collection::vec(step, 1..20)
}

proptest! {
    #[test]
    fn any_history_keeps_order_places_and_bounds(nalloc in 1..24usize, steps in steps()) {
        let mut subject = Subject::new(nalloc);
        for step in steps {
            match step {
                Step::Append(count) => subject.append(count),
                Step::Push(count) => (0..count).for_each(|_| subject.push().unwrap()),
                Step::PushAsNginx(count) => (0..count).for_each(|_| subject.push_as_nginx()),
                Step::Retain { modulus, rest, dry_after } => {
                    subject.pool.left = dry_after;
                    let _ = subject.retain(|id| id % modulus != rest);
                    subject.pool.left = None;
                }
            }
            subject.check();
        }
    }
}

#[test]
fn removing_everything_leaves_a_list_that_can_be_filled_again() {
    let mut subject = Subject::new(4);
    (0..11).for_each(|_| subject.push_as_nginx());
    assert_eq!(subject.retain(|_| false), Ok(11));
    subject.check();
    (0..11).for_each(|_| subject.push_as_nginx());
    subject.check();
}

#[test]
fn a_failed_allocation_changes_nothing() {
    let mut subject = Subject::new(20);
    (0..20).for_each(|_| subject.push_as_nginx());
    subject.pool.left = Some(2);
    assert_eq!(subject.retain(|id| id % 2 == 0), Err(OutOfMemory));
    subject.check();
    assert_eq!(subject.model.len(), 20);
    subject.pool.left = Some(1);
    assert_eq!(subject.push(), Err(OutOfMemory));
    subject.check();
}

#[test]
fn a_copied_list_is_stripped_without_touching_the_original() {
    let mut parent = Subject::new(3);
    (0..8).for_each(|_| parent.push_as_nginx());
    // As in ngx_http_subrequest: the structure is copied, parts and all.
    let mut copy = *parent.list;
    let mut pool = Pool::default();
    // SAFETY: the copy shares parts that stay alive.
    let removed = unsafe {
        retain(&raw mut copy, &mut |size| pool.alloc(size), &mut |element| {
            (*element.cast::<Element>())[0] % 3 != 0
        })
    };
    assert_eq!(removed, Ok(3));
    // SAFETY: as above.
    let left = unsafe { Elements::of(&raw const copy) };
    // SAFETY: as above.
    let left: Vec<_> = left.map(|element| unsafe { (*element.cast::<Element>())[0] }).collect();
    assert_eq!(left, [1, 2, 4, 5, 7]);
    parent.check();
}

#[test]
fn a_push_to_a_copy_whose_last_part_is_the_parents_shows_in_the_copy() {
    let mut parent = Subject::new(20);
    (0..3).for_each(|_| parent.push_as_nginx());
    let mut copy = *parent.list;
    let mut pool = Pool::default();
    // SAFETY: the copy shares elements that stay alive; the new one is written.
    let walked = unsafe {
        let element = push(&raw mut copy, &mut |size| pool.alloc(size)).unwrap();
        element.cast::<Element>().write([99, 99]);
        Elements::of(&raw const copy).map(|e| (*e.cast::<Element>())[0]).collect::<Vec<_>>()
    };
    assert_eq!(walked, [0, 1, 2, 99]);
    parent.check();
}

/// Adds an element by [`push`], and some by [`append`].
fn add(list: *mut ngx_list_t, pool: &mut Pool, id: u64) {
    // SAFETY: the list is built as Nginx builds it; what is added is written, and the pool keeps it.
    unsafe {
        let Ok(element) = push(list, &mut |size| pool.alloc(size)) else { return };
        element.cast::<Element>().write([id, id]);
        let elts = pool.alloc(2 * size_of::<Element>());
        elts.cast::<[Element; 2]>().write([[id + 1; 2], [id + 2; 2]]);
        let part = pool.alloc(size_of::<ngx_list_part_t>()).cast();
        append(list, part, elts, 2);
    }
}

fn ids(list: *const ngx_list_t) -> Vec<u64> {
    // SAFETY: the list is built as Nginx builds it, and its elements are written.
    unsafe { Elements::of(list).map(|element| (*element.cast::<Element>())[0]).collect() }
}

proptest! {
    #[test]
    fn what_is_added_to_one_of_two_lists_never_shows_in_the_other(
        (nalloc, pushed) in (1_usize..5, 0_u64..12),
        (parent_first, removed) in (any::<bool>(), proptest::option::of(0_u64..12)),
    ) {
        let mut parent = Subject::new(nalloc);
        (0..pushed).for_each(|_| parent.push_as_nginx());
        if let Some(removed) = removed {
            parent.retain(|id| id != removed).unwrap();
        }
        let before = ids(&raw const *parent.list);
        let mut copy = Box::new(*parent.list);
        let copy: *mut ngx_list_t = &raw mut *copy;
        let mut pool = Pool::default();
        // SAFETY: as in `add`; the copy shares parts that stay alive.
        unsafe { unshare(copy, &mut |size| pool.alloc(size)).unwrap() };
        prop_assert_eq!(ids(copy), before.clone());

        if parent_first {
            (0..5).for_each(|_| parent.push_as_nginx());
        }
        add(copy, &mut pool, 100);
        if !parent_first {
            (0..5).for_each(|_| parent.push_as_nginx());
        }
        parent.check();
        prop_assert_eq!(ids(copy), [before, vec![100, 101, 102]].concat());
    }
}

#[test]
fn parts_that_cannot_be_copied_stay_as_they_are() {
    let mut parent = Subject::new(2);
    (0..6).for_each(|_| parent.push_as_nginx());
    let mut copy = *parent.list;
    let mut pool = Pool { left: Some(1), ..Pool::default() };
    // SAFETY: the copy shares parts that stay alive.
    let copied = unsafe { unshare(&raw mut copy, &mut |size| pool.alloc(size)) };
    assert_eq!(copied, Err(OutOfMemory));
    assert_eq!(ids(&raw const copy), [0, 1, 2, 3, 4, 5]);
    parent.check();
}

#[test]
fn a_list_that_nginx_has_not_made_is_made_before_the_first_push() {
    let mut pool = Pool::default();
    let mut list = Box::new(ngx_list_t {
        last: ptr::null_mut(),
        part: ngx_list_part_t { elts: ptr::null_mut(), nelts: 0, next: ptr::null_mut() },
        size: 0,
        nalloc: 0,
        pool: ptr::null_mut(),
    });
    let list: *mut ngx_list_t = &raw mut *list;
    // SAFETY: the list is zeroed and ours alone; the pool gives aligned memory that it keeps.
    unsafe {
        begin(list, size_of::<Element>(), &mut |size| pool.alloc(size)).unwrap();
        for number in 0..40_u64 {
            let element = push(list, &mut |size| pool.alloc(size)).unwrap();
            assert!(pool.room_at(element) >= size_of::<Element>());
            element.cast::<Element>().write([number, number]);
        }
        let numbers: Vec<u64> =
            Elements::of(list).map(|element| (*element.cast::<Element>())[0]).collect();
        assert_eq!(numbers, (0..40).collect::<Vec<_>>());
    }
    pool.left = Some(0);
    // SAFETY: as above.
    let refused = unsafe {
        (*list).size = 0;
        begin(list, size_of::<Element>(), &mut |size| pool.alloc(size))
    };
    assert_eq!(refused, Err(OutOfMemory));
}
