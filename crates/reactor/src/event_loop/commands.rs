//! What other threads ask of a loop: accepted sockets, and commands of the group's owner.

use super::{EventLoop, UNTOLD};
use crate::handoff::LoopCommand;
use crate::notices::LoopNotice;
use millrace_ring::record::kind;
use std::sync::atomic::Ordering;

/// Commands taken from one queue in one turn: thousands of dials delay the connections no longer.
pub(super) const COMMANDS: usize = 256;

impl EventLoop {
    /// Takes what the two queues hold, within the limit.
    pub(crate) fn take_commands(&mut self) {
        for _ in 0..COMMANDS {
            let Some(command) = self.handle.0.commands.pop() else { break };
            self.take_command(command);
        }
        let mut taken = false;
        for _ in 0..COMMANDS {
            if self.untold.len() >= UNTOLD {
                break;
            }
            let Some(command) = self.handle.0.handoff.pop() else { break };
            taken = true;
            self.take_command(command);
            self.inbound.publish_batch();
        }
        if taken
            && self.handle.0.stalled.swap(false, Ordering::AcqRel)
            && let Some(acceptor) = self.handle.0.acceptor.get()
        {
            acceptor.ring();
        }
    }

    fn take_command(&mut self, command: LoopCommand) {
        match command {
            LoopCommand::Accepted(accepted) => self.adopt(accepted),
            LoopCommand::Listener(command) => self.take_listener_command(command),
            LoopCommand::Connect(dial) => self.dial(dial),
            LoopCommand::CancelConnect(number) => self.cancel_dial(number),
            LoopCommand::ListenerClosed(id) => self.drain_connections_of(id),
            LoopCommand::OpenDatagrams(bound) => self.open_datagrams(*bound),
            LoopCommand::AcceptFailed(id, errno) => {
                let notice = LoopNotice { errno, ..LoopNotice::of(kind::ACCEPT_ERROR, id) };
                self.loop_notices.push_back(notice);
            }
            LoopCommand::SocketOption { slot, generation, what, ticket } => {
                let result = self.socket_option(slot, generation, what);
                self.loop_notices.push_back(LoopNotice::answer(ticket, result));
            }
            LoopCommand::Answer(notice) => self.loop_notices.push_back(notice),
            #[cfg(feature = "inject")]
            LoopCommand::Panic => panic!("injected"),
        }
    }
}
