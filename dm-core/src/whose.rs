//! Which source a thread works for, so that a logger can say it of every line.
//!
//! A thread that begins to work for a source says so once ([`of`]); the threads that it starts take it over
//! (`carried`).

use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    static SOURCE: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// The source that this thread works for, when it works for one.
pub fn source() -> Option<Arc<str>> {
    // A thread that ends has none any more.
    SOURCE.try_with(|source| source.borrow().clone()).ok().flatten()
}

/// Does something that belongs to a source.
pub fn of<T>(source: &str, work: impl FnOnce() -> T) -> T {
    under(Some(source.into()), work)
}

/// Work for a new thread, which belongs to the source that this one works for.
pub(crate) fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let source = source();
    move || under(source, work)
}

fn under<T>(source: Option<Arc<str>>, work: impl FnOnce() -> T) -> T {
    /// Gives back what was there, also after a panic.
    struct Before(Option<Arc<str>>);
    impl Drop for Before {
        fn drop(&mut self) {
            let before = self.0.take();
            let _ = SOURCE.try_with(|source| *source.borrow_mut() = before);
        }
    }
    let _before = Before(SOURCE.with(|now| now.replace(source)));
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_take_it_over() {
        assert_eq!(source(), None);
        let seen = of("a", || {
            let inner = of("b", source);
            let thread = std::thread::spawn(carried(source)).join().unwrap();
            (inner, thread, source())
        });
        let name = |n: &str| Some(Arc::from(n));
        assert_eq!(seen, (name("b"), name("a"), name("a")));
        assert_eq!(source(), None);
        let panicked = std::panic::catch_unwind(|| of("c", || panic!("on purpose")));
        assert!(panicked.is_err() && source().is_none());
    }
}
