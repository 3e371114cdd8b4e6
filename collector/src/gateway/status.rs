//! What kind of failure → what gRPC calls it: the only such map.
//!
//! A peer gets the kind and a sentence that names its own field; what concerns our disk or store
//! stays in the log.

use cordon_shared::error::{Classify, Kind};
use tonic::{Code, Status};
use tracing::error;

/// The code of a kind (gRPC's `status.proto`; the retry policy of each side follows from it).
#[must_use]
pub fn code(kind: Kind) -> Code {
    match kind {
        Kind::BadInput => Code::InvalidArgument,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::NotFound => Code::NotFound,
        Kind::Conflict => Code::FailedPrecondition,
        Kind::TooLarge => Code::OutOfRange,
        Kind::Busy => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Timeout => Code::DeadlineExceeded,
        Kind::Corrupt => Code::DataLoss,
        Kind::Internal => Code::Internal,
    }
}

/// What a peer is told of an error.
#[must_use]
pub fn of(error: &(impl Classify + std::error::Error)) -> Status {
    let kind = error.kind();
    match kind {
        Kind::BadInput
        | Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::NotFound
        | Kind::Conflict
        | Kind::TooLarge
        | Kind::Busy
        | Kind::Timeout => Status::new(code(kind), error.to_string()),
        Kind::Unavailable | Kind::Corrupt | Kind::Internal => {
            error!(%kind, "a call failed: {error}");
            Status::new(code(kind), "the collector cannot do this now")
        }
    }
}

#[cfg(test)]
mod tests {
    use cordon_shared::error::Kind;
    use expect_test::expect;

    use super::code;

    #[test]
    fn the_whole_map() {
        let kinds = [
            Kind::BadInput,
            Kind::Unauthenticated,
            Kind::Forbidden,
            Kind::NotFound,
            Kind::Conflict,
            Kind::TooLarge,
            Kind::Busy,
            Kind::Unavailable,
            Kind::Timeout,
            Kind::Corrupt,
            Kind::Internal,
        ];
        let table: String = kinds.iter().map(|it| format!("{it}: {:?}\n", code(*it))).collect();
        expect![[r#"
            bad_input: InvalidArgument
            unauthenticated: Unauthenticated
            forbidden: PermissionDenied
            not_found: NotFound
            conflict: FailedPrecondition
            too_large: OutOfRange
            busy: ResourceExhausted
            unavailable: Unavailable
            timeout: DeadlineExceeded
            corrupt: DataLoss
            internal: Internal
        "#]]
        .assert_eq(&table);
    }
}
