/* agent/store/detection_rows.c: restricted devices, and where they were. */
#include <assert.h>
#include <errno.h>

#include "base/log.h"
#include "base/num.h"
#include "store/store_db.h"

static int
detection_write(struct store *s, const struct detection *d, const struct buf *body)
{
	sqlite3_stmt *q = db_prepare(s,
	    "INSERT INTO detection (id, mac, vendor, site, switch, presence, handling, origin, severity, first_seen, last_seen, body)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO UPDATE SET vendor = ?3, site = ?4,"
	    " switch = ?5, presence = ?6, handling = ?7, origin = ?8, severity = ?9, first_seen = ?10, last_seen = ?11, body = ?12");

	db_int(q, 1, d->id);
	db_int(q, 2, (int64_t)mac_u64(d->mac));
	db_text(q, 3, d->vendor);
	db_text(q, 4, d->site);
	db_text(q, 5, d->location.place.switch_name);
	db_int(q, 6, d->presence);
	db_int(q, 7, d->handling);
	db_int(q, 8, d->origin);
	db_int(q, 9, d->severity);
	db_int(q, 10, d->first_seen.us);
	db_int(q, 11, d->last_seen.us);
	db_blob(q, 12, body->p, body->len);
	return db_run(s, q);
}

/* Removes what is stored of the address under another id: a row that could not be read when we started, so that the device
 * was found anew. Without this it could never be told. */
static int
detection_make_way(struct store *s, struct mac mac)
{
	static const char *const statements[] = {
		"DELETE FROM presence WHERE detection IN (SELECT id FROM detection WHERE mac = ?1)", "DELETE FROM detection WHERE mac = ?1" };
	char text[MAC_TEXT];
	int rc = 0;

	log_error("database: an unreadable record of %s gives way to a new one", mac_text(mac, text));
	for (size_t i = 0; i < nitems(statements) && rc == 0; i++) {
		sqlite3_stmt *q = db_prepare(s, statements[i]);

		db_int(q, 1, (int64_t)mac_u64(mac));
		rc = db_run(s, q);
	}
	return rc;
}

int
store_detection_put(struct store *s, const struct detection *d)
{
	struct buf body = { 0 };
	int rc;

	assert(d->id != 0);
	detection_encode(&body, d);
	rc = body.bad ? -ENOMEM : detection_write(s, d, &body);
	if (rc == -EIO && sqlite3_extended_errcode(s->db) == SQLITE_CONSTRAINT_UNIQUE && (rc = detection_make_way(s, d->mac)) == 0)
		rc = detection_write(s, d, &body);
	buf_free(&body);
	return rc;
}

int
store_detection_forget(struct store *s, uint32_t id)
{
	static const char *const statements[] = { "DELETE FROM presence WHERE detection = ?1", "DELETE FROM detection WHERE id = ?1" };
	int rc = 0;

	for (size_t i = 0; i < nitems(statements) && rc == 0; i++) {
		sqlite3_stmt *q = db_prepare(s, statements[i]);

		db_int(q, 1, id);
		rc = db_run(s, q);
	}
	return rc;
}

int
store_detections(struct store *s, int (*each)(void *arg, const struct detection *d), void *arg)
{
	sqlite3_stmt *q = db_prepare(s, "SELECT body, id, s.last_complete FROM detection LEFT JOIN switch s ON s.name = detection.switch ORDER BY id");
	int rc;

	while ((rc = db_step(s, q)) == 1) {
		struct msg_in m = db_column_msg(q, 0);
		struct detection d;

		if (detection_decode(&m, &d) < 0 || !msg_in_done(&m) || d.id != sqlite3_column_int64(q, 1)) {
			db_passed_over("detection", sqlite3_column_int64(q, 1));
			continue;
		}
		if (d.presence == PRESENCE_PRESENT && !d.absent && sqlite3_column_int64(q, 2) > d.last_seen.us)
			d.last_seen.us = sqlite3_column_int64(q, 2);
		if ((rc = each(arg, &d)) != 0)
			break;
	}
	db_done(q);
	return rc;
}

int
store_presence_put(struct store *s, uint32_t detection_id, const struct place *at, struct wall from, struct wall to)
{
	sqlite3_stmt *q = db_prepare(s, "INSERT INTO presence (detection, began, ended, switch, if_index, port, alias, vlan)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");

	db_int(q, 1, detection_id);
	db_int(q, 2, from.us);
	db_int(q, 3, to.us);
	db_text(q, 4, at->switch_name);
	db_int(q, 5, at->if_index);
	db_text(q, 6, at->port);
	db_text(q, 7, at->alias);
	db_int(q, 8, at->vlan);
	return db_run(s, q);
}

int
store_presences(struct store *s, uint32_t detection_id, int (*each)(void *arg, const struct place *at, struct wall from, struct wall to),
    void *arg)
{
	sqlite3_stmt *q = db_prepare(s, "SELECT began, ended, switch, if_index, port, alias, vlan FROM presence WHERE detection = ?1"
	    " ORDER BY began");
	int rc;

	db_int(q, 1, detection_id);
	while ((rc = db_step(s, q)) == 1) {
		struct place at = { .if_index = (uint32_t)sqlite3_column_int64(q, 3), .vlan = (uint16_t)sqlite3_column_int64(q, 6) };

		db_column_text(q, 2, at.switch_name, sizeof at.switch_name);
		db_column_text(q, 4, at.port, sizeof at.port);
		db_column_text(q, 5, at.alias, sizeof at.alias);
		if ((rc = each(arg, &at, (struct wall){ sqlite3_column_int64(q, 0) }, (struct wall){ sqlite3_column_int64(q, 1) })) != 0)
			break;
	}
	db_done(q);
	return rc;
}
