//! Asking a home's daemon as the dashboard does, through the client itself.

use crate::support::{Home, wait_until};
use attune_protocol::client::{Address, Client, ClientError};
use attune_protocol::{Checked, NewStudy};
use std::future::Future;
use tokio::runtime::{Builder, Runtime};

/// A client of a home's daemon, which is started where none runs.
pub struct Asking {
    runtime: Runtime,
    client: Client,
}

impl Asking {
    pub fn of(home: &Home) -> Self {
        let asking = Asking {
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
            client: Client::new(Address::Unix(home.socket())),
        };
        // One that was killed just now may hold the socket for a moment longer.
        let answers = || asking.try_to(|client| async move { client.status().await });
        wait_until(
            || {
                home.run(&["daemon", "start"]).ok();
                answers().is_ok()
            },
            "the daemon answers",
        );
        asking
    }

    /// What comes of asking.
    pub fn try_to<T, F: Future<Output = Result<T, ClientError>>>(
        &self,
        ask: impl FnOnce(Client) -> F,
    ) -> Result<T, ClientError> {
        self.runtime.block_on(ask(self.client.clone()))
    }

    /// The answer, where there has to be one.
    #[track_caller]
    pub fn to<T, F: Future<Output = Result<T, ClientError>>>(
        &self,
        ask: impl FnOnce(Client) -> F,
    ) -> T {
        self.try_to(ask).expect("an answer")
    }

    /// What the daemon says of a study whose text would be the home's `study.toml`.
    #[track_caller]
    pub fn check(&self, home: &Home, text: &str) -> Checked {
        let study = NewStudy {
            spec: text.to_owned(),
            file: home.path().join("study.toml").to_string_lossy().into(),
            plugins: Vec::new(),
            parallel: None,
        };
        self.to(|client| async move { client.check(&study).await })
    }

    /// Why it is refused: the code, and the sentence.
    #[track_caller]
    pub fn refused<T, F: Future<Output = Result<T, ClientError>>>(
        &self,
        ask: impl FnOnce(Client) -> F,
    ) -> (u16, String) {
        match self.try_to(ask) {
            Err(ClientError::Problem(problem)) => (problem.code.status(), problem.message),
            Err(other) => panic!("no problem but {other}"),
            Ok(_) => panic!("it was not refused"),
        }
    }
}
