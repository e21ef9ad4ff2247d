/* agent/store/detection_rows.c: restricted devices, and where they were. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "store/store_db.h"

int
store_detection_put(struct store *s, const struct detection *d)
{
	sqlite3_stmt *q = db_prepare(s,
	    "INSERT INTO detection (id, mac, vendor, site, switch, presence, handling, origin, severity, first_seen, last_seen, body)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO UPDATE SET vendor = ?3, site = ?4,"
	    " switch = ?5, presence = ?6, handling = ?7, origin = ?8, severity = ?9, first_seen = ?10, last_seen = ?11, body = ?12");
	struct buf body = { 0 };
	int rc;

	if (q == NULL)
		return -EIO;
	detection_encode(&body, d);
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
	db_blob(q, 12, body.p, body.len);
	rc = body.bad ? (sqlite3_finalize(q), -ENOMEM) : db_run(s, q);
	buf_free(&body);
	return rc;
}

int
store_detections(struct store *s, int (*each)(void *arg, const struct detection *d), void *arg)
{
	sqlite3_stmt *q = db_prepare(s, "SELECT body FROM detection ORDER BY id");
	int rc;

	while ((rc = db_step(s, q)) == 1) {
		struct msg_in m = msg_in_of(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
		struct detection d;

		if (detection_decode(&m, &d) < 0)
			log_error("a stored detection cannot be read and is passed over");
		else if ((rc = each(arg, &d)) != 0)
			break;
	}
	sqlite3_finalize(q);
	return rc;
}

int
store_presence_put(struct store *s, uint32_t detection_id, const struct place *at, struct wall from, struct wall to)
{
	sqlite3_stmt *q = db_prepare(s, "INSERT INTO presence (detection, began, ended, switch, if_index, port, alias, vlan)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");

	if (q == NULL)
		return -EIO;
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

	if (q == NULL)
		return -EIO;
	db_int(q, 1, detection_id);
	while ((rc = db_step(s, q)) == 1) {
		struct place at = { .if_index = (uint32_t)sqlite3_column_int64(q, 3), .vlan = (uint16_t)sqlite3_column_int64(q, 6) };

		db_column_text(q, 2, at.switch_name, sizeof at.switch_name);
		db_column_text(q, 4, at.port, sizeof at.port);
		db_column_text(q, 5, at.alias, sizeof at.alias);
		if ((rc = each(arg, &at, (struct wall){ sqlite3_column_int64(q, 0) }, (struct wall){ sqlite3_column_int64(q, 1) })) != 0)
			break;
	}
	sqlite3_finalize(q);
	return rc;
}
