/* agent/store/event_rows.c: the event log and the outbox. */
#include <assert.h>
#include <errno.h>

#include "store/store_db.h"

int
store_event_put(struct store *s, const struct event *e)
{
	sqlite3_stmt *q = db_prepare(s, "INSERT INTO event (sequence, id, type, at, detection, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
	struct buf body = { 0 };
	int rc;

	assert(e->sequence != 0 && e->id[0] != '\0');
	event_encode(&body, e);
	db_int(q, 1, e->sequence);
	db_text(q, 2, e->id);
	db_int(q, 3, e->type);
	db_int(q, 4, e->at.us);
	db_int(q, 5, e->detection_id);
	db_blob(q, 6, body.p, body.len);
	rc = body.bad ? (db_done(q), -ENOMEM) : db_run(s, q);
	buf_free(&body);
	return rc;
}

/* Oldest first, so that a reader that goes on after the last one he got misses none. */
int
store_events(struct store *s, struct wall since, uint32_t after, size_t limit, int (*each)(void *arg, const struct event *e), void *arg)
{
	sqlite3_stmt *q = db_prepare(s, "SELECT body, sequence FROM event WHERE at >= ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3");
	int rc;

	db_int(q, 1, since.us);
	db_int(q, 2, after);
	db_int(q, 3, (int64_t)limit);
	while ((rc = db_step(s, q)) == 1) {
		struct msg_in m = db_column_msg(q, 0);
		struct event e;

		if (event_decode(&m, &e) < 0 || !msg_in_done(&m))
			db_passed_over("event", sqlite3_column_int64(q, 1));
		else if ((rc = each(arg, &e)) != 0)
			break;
	}
	db_done(q);
	return rc;
}

int
store_outbox_put(struct store *s, const char *receiver, const struct event *e, uint64_t *row)
{
	sqlite3_stmt *q = db_prepare(s, "INSERT INTO outbox (receiver, queued, body) VALUES (?1, ?2, ?3)");
	struct buf body = { 0 };
	int rc;

	assert(receiver[0] != '\0');
	event_encode(&body, e);
	db_text(q, 1, receiver);
	db_int(q, 2, e->at.us);
	db_blob(q, 3, body.p, body.len);
	rc = body.bad ? (db_done(q), -ENOMEM) : db_run(s, q);
	buf_free(&body);
	*row = rc == 0 ? (uint64_t)sqlite3_last_insert_rowid(s->db) : 0;
	return rc;
}

int
store_outbox(struct store *s, int (*each)(void *arg, const struct outbox_row *r), void *arg)
{
	sqlite3_stmt *q = db_prepare(s, "SELECT row, receiver, queued, body FROM outbox ORDER BY row");
	int rc;

	while ((rc = db_step(s, q)) == 1) {
		struct outbox_row r = { .row = (uint64_t)sqlite3_column_int64(q, 0), .queued = { sqlite3_column_int64(q, 2) } };
		struct msg_in m = db_column_msg(q, 3);

		db_column_text(q, 1, r.receiver, sizeof r.receiver);
		if (event_decode(&m, &r.event) < 0 || !msg_in_done(&m))
			db_passed_over("outbox row", (int64_t)r.row);
		else if ((rc = each(arg, &r)) != 0)
			break;
	}
	db_done(q);
	return rc;
}

int
store_outbox_get(struct store *s, uint64_t row, struct event *out)
{
	sqlite3_stmt *q = db_prepare(s, "SELECT body FROM outbox WHERE row = ?1");
	int rc;

	db_int(q, 1, (int64_t)row);
	if ((rc = db_step(s, q)) == 1) {
		struct msg_in m = db_column_msg(q, 0);

		rc = event_decode(&m, out) < 0 || !msg_in_done(&m) ? -EBADMSG : 0;
	} else if (rc == 0)
		rc = -ENOENT;
	db_done(q);
	return rc;
}

int
store_outbox_done(struct store *s, uint64_t row)
{
	sqlite3_stmt *q = db_prepare(s, "DELETE FROM outbox WHERE row = ?1");

	db_int(q, 1, (int64_t)row);
	return db_run(s, q);
}
