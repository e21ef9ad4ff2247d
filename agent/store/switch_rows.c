/* agent/store/switch_rows.c: what is known of switches between runs. The rows of its tables are a blob of their own: how
 * polling went is written far more often. */
#include <assert.h>
#include <errno.h>

#include "store/store_db.h"

static int
rows_write(struct store *s, const struct store_switch *sw)
{
	sqlite3_stmt *q = db_prepare(s, "INSERT OR REPLACE INTO switch_rows (number, rows) VALUES (?1, ?2)");

	db_int(q, 1, sw->number);
	db_blob(q, 2, sw->table.p, sw->table.len);
	return db_run(s, q);
}

static int
switch_write(struct store *s, const char *sql, struct store_switch *sw)
{
	sqlite3_stmt *q = db_prepare(s, sql);
	int rc;

	db_text(q, 1, sw->name);
	db_int(q, 2, sw->last_poll.us);
	db_int(q, 3, sw->last_complete.us);
	db_int(q, 4, sw->baseline_at.us);
	db_int(q, 5, sw->polls);
	db_int(q, 6, sw->uptime_cs);
	db_int(q, 7, sw->state);
	db_int(q, 8, sw->unreachable_told);
	if ((rc = db_step(s, q)) == 1) {
		sw->number = (uint32_t)sqlite3_column_int64(q, 0);
		rc = db_step(s, q);
	} else if (rc == 0)
		rc = -ENOENT;
	db_done(q);
	return rc;
}

int
store_switch_put(struct store *s, struct store_switch *sw)
{
	/* Not one statement with ON CONFLICT: that draws a number each time, and numbers are 32 bits of the MIB. */
	static const char update[] = "UPDATE switch SET last_poll = ?2, last_complete = ?3, baseline_at = ?4, polls = ?5, uptime_cs = ?6,"
	    " state = ?7, unreachable_told = ?8 WHERE name = ?1 RETURNING number";
	static const char insert[] = "INSERT INTO switch (name, last_poll, last_complete, baseline_at, polls, uptime_cs, state,"
	    " unreachable_told) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING number";
	int rc;

	assert(sw->name[0] != '\0' && !sw->table.bad);
	if ((rc = switch_write(s, update, sw)) == -ENOENT)
		rc = switch_write(s, insert, sw);
	return rc == 0 && sw->table.len > 0 ? rows_write(s, sw) : rc;
}

int
store_switches(struct store *s, int (*each)(void *arg, const struct store_switch *sw), void *arg)
{
	sqlite3_stmt *q = db_prepare(s, "SELECT number, name, last_poll, last_complete, baseline_at, polls, uptime_cs, state,"
	    " unreachable_told, rows FROM switch LEFT JOIN switch_rows USING (number) ORDER BY number");
	int rc;

	while ((rc = db_step(s, q)) == 1) {
		struct msg_in table;
		struct store_switch sw = { .number = (uint32_t)sqlite3_column_int64(q, 0), .last_poll = { sqlite3_column_int64(q, 2) },
			.last_complete = { sqlite3_column_int64(q, 3) }, .baseline_at = { sqlite3_column_int64(q, 4) },
			.polls = (uint32_t)sqlite3_column_int64(q, 5), .uptime_cs = (uint32_t)sqlite3_column_int64(q, 6),
			.state = (uint8_t)sqlite3_column_int64(q, 7), .unreachable_told = sqlite3_column_int64(q, 8) != 0 };

		db_column_text(q, 1, sw.name, sizeof sw.name);
		table = db_column_msg(q, 9);
		put_bytes(&sw.table, table.p, msg_in_left(&table));
		rc = sw.table.bad ? -ENOMEM : each(arg, &sw);
		buf_free(&sw.table);
		if (rc != 0)
			break;
	}
	db_done(q);
	return rc;
}

int
store_switch_forget(struct store *s, const char *name)
{
	sqlite3_stmt *q = db_prepare(s, "DELETE FROM switch WHERE name = ?1");

	db_text(q, 1, name);
	return db_run(s, q);
}
