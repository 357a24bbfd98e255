//! Operating tasks: their texts, their processes in the background, commands to them, and answers
//! in DM's form.

pub mod answers;
pub mod changes;
pub mod client;
pub mod dmctl;
pub mod dumps;
pub mod forget;
pub mod launch;
pub mod record;
pub mod relay;
pub mod status;
pub mod texts;
