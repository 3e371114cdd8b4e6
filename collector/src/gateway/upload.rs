//! Service `Snapshots`: not there yet. It answers so that an agent knows to keep what it has.

use cordon_proto::v1;
use tonic::{Request, Response, Status, Streaming};

/// The service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uploads;

fn refuse<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("this collector takes no snapshots; keep them"))
}

#[tonic::async_trait]
impl v1::snapshots_server::Snapshots for Uploads {
    async fn offer(
        &self,
        _request: Request<v1::SnapshotOffer>,
    ) -> Result<Response<v1::SnapshotProgress>, Status> {
        refuse()
    }

    async fn upload(
        &self,
        _request: Request<Streaming<v1::SnapshotChunk>>,
    ) -> Result<Response<v1::SnapshotProgress>, Status> {
        refuse()
    }
}
