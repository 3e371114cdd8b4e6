//! What each act changes, in the caller's transaction.

use cordon_shared::{id::IncidentId, incident::Declaration, time::Timestamp};

use super::{Act, ChangedTask, NewPassage, NewTask};
use crate::store::{
    By, StoreError, Tx, column, failed,
    incident::scope::{add_host, add_indicator},
};

/// Tasks of one incident (chosen: more than people keep up with).
const TASKS_MAX: u64 = 500;

pub(super) async fn apply(
    tx: &mut Tx,
    id: IncidentId,
    act: &Act,
    by: &By,
) -> Result<(), StoreError> {
    let who = (by.principal.as_str(), by.at);
    match act {
        Act::Assign { lead } => set(tx, id, &[("lead", Value::Text(lead))]).await,
        Act::Judge { verdict, reason } => {
            let values = [
                ("verdict", Value::Text(verdict.as_str())),
                ("verdict_reason", Value::Text(reason)),
                ("verdict_by", Value::Text(&by.principal)),
            ];
            set(tx, id, &values).await
        }
        Act::Rate { severity, .. } => {
            let by = ("severity_by", Value::Text(&by.principal));
            set(tx, id, &[("severity", Value::Text(severity.as_str())), by]).await
        }
        Act::Note { .. } => Ok(()),
        Act::AddTask(new) => add_task(tx, id, new, by).await,
        Act::ChangeTask(changed) => change_task(tx, id, changed, by).await,
        Act::AddHost(new) => {
            if add_host(tx, id, new, who).await? {
                return Ok(());
            }
            let state = "is in scope already";
            Err(StoreError::Conflict { what: "host", id: new.name.clone(), state })
        }
        Act::Declare { host, what, evidence } => {
            declare(tx, id, *host, (*what, evidence.as_str()), by).await
        }
        Act::Confirm { host } => confirm(tx, id, *host, by).await,
        Act::AddIndicator { indicator, reason } => {
            if add_indicator(tx, id, indicator, reason, who).await? {
                return Ok(());
            }
            let state = "looks for as much as an incident can";
            Err(StoreError::Conflict { what: "incident", id: id.to_string(), state })
        }
        Act::Watch { until } => {
            let values =
                [("watch_from_ns", Value::Time(by.at)), ("watch_until_ns", Value::Time(*until))];
            set(tx, id, &values).await
        }
        Act::Pass(passages) => pass(tx, id, passages, by).await,
        Act::Close { passages, reason } => {
            pass(tx, id, passages, by).await?;
            let reason = reason.as_deref().map_or(Value::Nothing, Value::Text);
            let values = [
                ("state", Value::Text("closed")),
                ("closed_ns", Value::Time(by.at)),
                ("closed_by", Value::Text(&by.principal)),
                ("closed_reason", reason),
            ];
            set(tx, id, &values).await
        }
        Act::Reopen { .. } => {
            let values = [
                ("state", Value::Text("open")),
                ("closed_ns", Value::Nothing),
                ("closed_by", Value::Nothing),
                ("closed_reason", Value::Nothing),
            ];
            set(tx, id, &values).await
        }
    }
}

/// What a column gets.
enum Value<'a> {
    Text(&'a str),
    Time(Timestamp),
    Nothing,
}

/// Sets columns of an incident; their names are constants of this file.
async fn set(
    tx: &mut Tx,
    id: IncidentId,
    values: &[(&'static str, Value<'_>)],
) -> Result<(), StoreError> {
    let mut sets = Vec::with_capacity(values.len());
    let mut place = 1;
    for (name, value) in values {
        if let Value::Nothing = value {
            sets.push(format!("{name} = null"));
        } else {
            place += 1;
            sets.push(format!("{name} = ${place}"));
        }
    }
    let text = format!("update incident set {} where id = $1", sets.join(", "));
    let mut query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.to_string());
    for (_, value) in values {
        query = match value {
            Value::Text(text) => query.bind((*text).to_owned()),
            Value::Time(at) => query.bind(at.as_ns()),
            Value::Nothing => query,
        };
    }
    query.execute(&mut **tx).await.map_err(failed("change an incident"))?;
    Ok(())
}

async fn add_task(tx: &mut Tx, id: IncidentId, new: &NewTask, by: &By) -> Result<(), StoreError> {
    let doing = failed("add a task");
    let row = sqlx::query(
        "select coalesce(max(number), 0) as last from incident_task where incident_id = $1",
    )
    .bind(id.to_string())
    .fetch_one(&mut **tx)
    .await
    .map_err(&doing)?;
    let last = column::count(&row, "last")?;
    if last >= TASKS_MAX {
        let state = "has as many tasks as an incident can";
        return Err(StoreError::Conflict { what: "incident", id: id.to_string(), state });
    }
    sqlx::query(
        "insert into incident_task (incident_id, number, kind, title, owner, due_ns, created_ns, \
         created_by) values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.to_string())
    .bind(column::to_number(last + 1))
    .bind(new.kind.as_str())
    .bind(new.title.as_str())
    .bind(new.owner.clone())
    .bind(new.due.map(Timestamp::as_ns))
    .bind(by.at.as_ns())
    .bind(by.principal.as_str())
    .execute(&mut **tx)
    .await
    .map_err(&doing)?;
    Ok(())
}

async fn change_task(
    tx: &mut Tx,
    id: IncidentId,
    changed: &ChangedTask,
    by: &By,
) -> Result<(), StoreError> {
    let is_done = changed.is_done.map_or(-1, i64::from);
    let done = sqlx::query(
        "update incident_task set owner = coalesce($1, owner), due_ns = coalesce($2, due_ns), \
         done_ns = case when $3 = 1 then $4 when $3 = 0 then null else done_ns end, \
         done_by = case when $3 = 1 then $5 when $3 = 0 then null else done_by end \
         where incident_id = $6 and number = $7",
    )
    .bind(changed.owner.clone())
    .bind(changed.due.map(Timestamp::as_ns))
    .bind(is_done)
    .bind(by.at.as_ns())
    .bind(by.principal.as_str())
    .bind(id.to_string())
    .bind(column::to_number(changed.number))
    .execute(&mut **tx)
    .await
    .map_err(failed("change a task"))?;
    if done.rows_affected() > 0 {
        return Ok(());
    }
    Err(StoreError::NotFound { what: "task", id: changed.number.to_string() })
}

async fn declare(
    tx: &mut Tx,
    id: IncidentId,
    host: u64,
    (what, evidence): (Declaration, &str),
    by: &By,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "update incident_host set declaration = $1, evidence = $2, declared_by = $3, \
         confirmed_by = null where incident_id = $4 and number = $5",
    )
    .bind(what.as_str())
    .bind(evidence)
    .bind(by.principal.as_str())
    .bind(id.to_string())
    .bind(column::to_number(host))
    .execute(&mut **tx)
    .await
    .map_err(failed("declare a host"))?;
    if done.rows_affected() > 0 {
        return Ok(());
    }
    Err(StoreError::NotFound { what: "host", id: host.to_string() })
}

async fn confirm(tx: &mut Tx, id: IncidentId, host: u64, by: &By) -> Result<(), StoreError> {
    let done = sqlx::query(
        "update incident_host set confirmed_by = $1 where incident_id = $2 and number = $3 \
         and declaration is not null and declared_by <> $1",
    )
    .bind(by.principal.as_str())
    .bind(id.to_string())
    .bind(column::to_number(host))
    .execute(&mut **tx)
    .await
    .map_err(failed("confirm a declaration"))?;
    if done.rows_affected() > 0 {
        return Ok(());
    }
    let state = "has no declaration of another person that could be confirmed";
    Err(StoreError::Conflict { what: "host", id: host.to_string(), state })
}

async fn pass(
    tx: &mut Tx,
    id: IncidentId,
    passages: &[NewPassage],
    by: &By,
) -> Result<(), StoreError> {
    for it in passages {
        sqlx::query(
            "insert into incident_passage (incident_id, number, phase, is_override, at_ns, \
             by_whom, text) select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6 \
             from incident_passage where incident_id = $1",
        )
        .bind(id.to_string())
        .bind(it.phase.as_str())
        .bind(i32::from(it.is_override))
        .bind(by.at.as_ns())
        .bind(by.principal.as_str())
        .bind(it.text.as_str())
        .execute(&mut **tx)
        .await
        .map_err(failed("pass a gate"))?;
    }
    Ok(())
}
