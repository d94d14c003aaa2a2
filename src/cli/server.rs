//! `zaqar server`: serves the REST and WebSocket APIs until it is told to stop.

use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::common::{self, Common};
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::Config;
use crate::policy::Policy;
use crate::server::{Drained, Tls};
use crate::telemetry::Telemetry;

const TOOL: &str = "zaqar-server";

/// Options of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Mount the administrators' routes, whatever the configuration says
    #[arg(long, alias = "admin-mode", overrides_with = "noadmin_mode")]
    admin_mode: bool,
    /// Leave the administrators' routes out, whatever the configuration says
    #[arg(long, alias = "noadmin-mode")]
    noadmin_mode: bool,
}

/// Serves until SIGTERM or SIGINT; then finishes running requests. A second signal ends at once.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut config = arguments.common.config(TOOL)?;
    config.default.admin_mode =
        (config.default.admin_mode || arguments.admin_mode) && !arguments.noadmin_mode;
    let telemetry = common::telemetry(&config, TOOL)?;
    let served = common::runtime(config.default.worker_threads.unwrap_or(0) as usize)?
        .block_on(serve(&config, &telemetry));
    drop(telemetry);
    served
}

async fn serve(config: &Config, telemetry: &Telemetry) -> anyhow::Result<()> {
    let stop = stop_on_signal()?;
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    let app = App::from_config(config, Clock::system()).await?;
    if let Some(warning) = app::open_door(config) {
        tracing::warn!("{warning}");
    }
    let listeners = app::bind(config).await?;
    let address = |listener: &Option<TcpListener>| listener.as_ref().map(TcpListener::local_addr).transpose();
    tracing::info!(
        server.address = address(&listeners.rest)?.map(tracing::field::display),
        websocket.address = address(&listeners.websocket)?.map(tracing::field::display),
        server.version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    let hangups = reload_on_hangup(telemetry, app.tls(), app.policy())?;
    let drained = tokio::select! {
        drained = app.serve(listeners, stop) => drained,
        never = hangups => never,
    };
    if !drained.is_clean() {
        tracing::warn!(connections.cut = drained.cut, "some requests did not finish in time");
    }
    tracing::info!("stopped");
    Ok(())
}

/// At each SIGHUP opens the log file anew (after logrotate) and reads the certificate and the policy again.
fn reload_on_hangup(
    telemetry: &Telemetry,
    tls: Option<Arc<Tls>>,
    policy: Policy,
) -> anyhow::Result<impl Future<Output = Drained>> {
    let mut hangups = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangups.recv().await.is_some() {
            telemetry.reopen();
            policy.reload();
            if let Some(Err(error)) = tls.as_ref().map(|tls| tls.reload()) {
                tracing::error!(error.cause = ?error, "the old certificate stays");
            } else {
                tracing::info!("log file and certificate were opened anew");
            }
        }
        std::future::pending().await
    })
}

/// Cancelled by the first SIGTERM or SIGINT; the second ends the process with code 1.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    let watch = async move {
        let mut either = async || tokio::select! { _ = term.recv() => (), _ = interrupt.recv() => () };
        either().await;
        tracing::info!("stopping; running requests are finished");
        told.cancel();
        either().await;
        std::process::exit(1);
    };
    #[expect(clippy::disallowed_methods, reason = "the signals are watched as long as the process lives")]
    tokio::spawn(watch);
    Ok(stop)
}
