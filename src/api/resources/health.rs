//! Ping and health on the wire (rest.md 3.3).

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::api::dispatch::Call;
use crate::api::respond;
use crate::error::Result;
use crate::service::{HealthReport, StoreHealth};

/// `GET …/ping`, in v1 `GET /v1/health`: whether the stores answer, without a body either way.
pub(crate) async fn ping(call: Call) -> Result<Response<Body>> {
    let alive = call.service.ping().await;
    Ok(respond::empty(if alive { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }))
}

/// `HEAD` of the same: that the service answers.
pub(crate) async fn ping_head(_: Call) -> Result<Response<Body>> {
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `GET …/health` after v1: every operation tried, for administrators.
pub(crate) async fn health(call: Call) -> Result<Response<Body>> {
    let report = call.service.health(&call.context).await?;
    Ok(respond::json(StatusCode::OK, document(&report).to_string()))
}

/// The report as a document.
pub(crate) fn document(report: &HealthReport) -> Value {
    match report {
        HealthReport::Single(health) => store(health),
        HealthReport::Pooled(reachable, pools) => {
            let mut document = json!({ "catalog_reachable": reachable });
            for (name, health) in pools {
                document[name.as_str()] = store(health);
            }
            document
        }
    }
}

fn store(health: &StoreHealth) -> Value {
    let operations = health.operations.iter().map(|(name, probe)| {
        let reference = probe.failure.map(|reference| reference.to_string());
        let seconds = probe.took.as_secs_f64();
        (
            (*name).to_owned(),
            json!({ "succeeded": probe.failure.is_none(), "seconds": seconds, "ref": reference }),
        )
    });
    let operations: Map<_, _> = operations.collect();
    let mut document =
        json!({ "storage_reachable": health.storage_reachable, "operation_status": operations });
    if let Some((free, claimed)) = health.volume {
        document["message_volume"] = json!({ "free": free, "claimed": claimed, "total": free + claimed });
    }
    document
}
