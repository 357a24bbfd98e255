//! The workers of a stream: how they begin, and how they are waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::StreamContext;
use crate::error::{Error, Result, codes};
use crate::pipeline::busy::Busy;
use crate::pipeline::dispatch::Queue;
use crate::pipeline::progress::Progress;
use crate::pipeline::worker::Worker;
use crate::sink::Slot;
use crate::whose::carried;

/// How long workers may take to end by themselves, then how long when their connections are killed.
const END_PATIENCE: Duration = Duration::from_secs(1);
const KILL_PATIENCE: Duration = Duration::from_secs(2);

/// Starts the workers. They are threads of their own and not of a scope: one that hangs in a
/// connection that nobody answers must not keep a stop waiting. Each holds an `alive` until it has ended.
pub(super) fn start_workers(
    ctx: &StreamContext,
    epoch: u64,
    progress: &Arc<Progress>,
    alive: &Sender<()>,
) -> Result<Vec<Queue>> {
    let mut queues = Vec::new();
    ctx.stats.meters.workers.store(ctx.settings.workers.max(1) as u64, Ordering::Relaxed);
    for worker in 0..ctx.settings.workers.max(1) {
        let (tx, rx) = bounded(ctx.settings.queue.max(1));
        let length = Arc::new(AtomicUsize::new(0));
        let (waiting, busy) = (Arc::new(AtomicUsize::new(0)), Arc::new(Busy::default()));
        queues.push(Queue {
            jobs: tx,
            length: Arc::clone(&length),
            waiting: Arc::clone(&waiting),
            busy: Arc::clone(&busy),
        });
        let (worker, alive) = (
            Worker {
                sink: Arc::clone(&ctx.sink),
                slot: slot(ctx, epoch, worker as u32),
                jobs: rx,
                length,
                waiting,
                busy,
                progress: Arc::clone(progress),
                stats: Arc::clone(&ctx.stats),
                limit: ctx.settings.limit,
                rate: Arc::clone(&ctx.rate),
                split: Arc::clone(&ctx.split),
            },
            alive.clone(),
        );
        std::thread::Builder::new()
            .name(format!("dm-apply-{}", worker.slot.worker))
            .spawn(carried(move || {
                let _alive = alive;
                worker.run();
            }))
            .map_err(|e| Error::new(&codes::SYNC_PANIC, "a worker could not start").cause(e))?;
    }
    Ok(queues)
}

/// Waits until all workers have ended. When a batch of theirs does not end (it waits for a lock,
/// or the target does not answer) its connection is killed at the target; one that hangs even then
/// is left behind: the fence and its mark make that safe.
pub(super) fn wait_for(ctx: &StreamContext, workers: &Receiver<()>) {
    let ended = |patience| workers.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected);
    if ended(END_PATIENCE) {
        return;
    }
    let (sink, task, lane) = (Arc::clone(&ctx.sink), ctx.task.clone(), ctx.lane.clone());
    // On a thread of its own: the target may not answer this connection either.
    let _ = std::thread::Builder::new()
        .name("dm-interrupt".to_owned())
        .spawn(carried(move || sink.interrupt(&task, &lane)));
    if !ended(KILL_PATIENCE) {
        log::warn!("lane {}: a writer does not end; it is left behind", ctx.lane);
    }
}

pub(super) fn slot(ctx: &StreamContext, epoch: u64, worker: u32) -> Slot {
    Slot { task: ctx.task.clone(), lane: ctx.lane.clone(), worker, epoch }
}
