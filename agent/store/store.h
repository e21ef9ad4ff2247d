/* agent/store/store.h: what must survive, behind one narrow header: no SQL, no SQLite type leaves this folder.
 * One writer (the engine). All functions return 0 or a negative errno-like code: -ENOSPC disk full, -EIO anything else wrong
 * with the file, -ENOENT not there; the text is in store_error(). */
#ifndef CAMTRAPD_STORE_H
#define CAMTRAPD_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/detection.h"

struct store;				/* opaque */

struct store_opened {
	bool		created;	/* there was none */
	bool		state_lost;	/* a broken file was moved aside to `moved_to`, this one is new */
	char		moved_to[256];
	uint32_t	epoch;		/* changes when state was lost */
};

/* For the engine: creates, checks integrity, migrates. "DIR/camtrapd.db". -EPROTO: written by a newer version: left as it is. */
int	store_open(struct store **out, const char *dir, struct wall now, struct store_opened *opened);
/* For views: read-only. */
int	store_open_reader(struct store **out, const char *dir);
void	store_close(struct store *s);	/* NULL is fine */
const char *store_error(const struct store *s);	/* borrowed, of the last failure */

/* Everything between begin and commit is on disk together or not at all. Commit returns after fsync. */
int	store_begin(struct store *s);
int	store_commit(struct store *s);
void	store_rollback(struct store *s);

/* Counters that never go back: returns the next value, from 1; part of the open transaction. */
enum store_counter { COUNTER_DETECTION, COUNTER_EVENT, COUNTER_BOOTS };
int	store_next(struct store *s, enum store_counter c, uint32_t *out);
/* Small named blobs: "engine-id", "conflicts", … -ENOENT: not there. *out is appended to. */
int	store_meta_put(struct store *s, const char *name, const void *p, size_t n);
int	store_meta_get(struct store *s, const char *name, struct buf *out);

/* What is known of a switch between runs. `table` is rowset_pack(). */
struct store_switch {
	char		name[NAME_MAX_OCTETS];
	uint32_t	number;		/* MIB index; given by the store when 0 */
	struct wall	last_poll, last_complete, baseline_at;	/* 0: never */
	uint32_t	polls;		/* before the baseline: polls that were answered */
	uint32_t	uptime_cs;
	uint8_t		state;
	bool		unreachable_told;
	struct buf	table;
};
int	store_switch_put(struct store *s, struct store_switch *sw);	/* with the table only when table.len > 0 */
int	store_switches(struct store *s, int (*each)(void *arg, const struct store_switch *sw), void *arg);
int	store_switch_forget(struct store *s, const char *name);

int	store_detection_put(struct store *s, const struct detection *d);	/* insert or replace, evidence too */
/* In order of id; `each` returns 0 to go on. */
int	store_detections(struct store *s, int (*each)(void *arg, const struct detection *d), void *arg);
/* A closed presence: where the device was, from when to when. */
int	store_presence_put(struct store *s, uint32_t detection_id, const struct place *at, struct wall from, struct wall to);
int	store_presences(struct store *s, uint32_t detection_id, int (*each)(void *arg, const struct place *at, struct wall from, struct wall to), void *arg);

int	store_event_put(struct store *s, const struct event *e);
/* Oldest first; of those at or after `since` (0: all) and with sequence > `after` the first `limit`. */
int	store_events(struct store *s, struct wall since, uint32_t after, size_t limit, int (*each)(void *arg, const struct event *e), void *arg);

/* Outbox: rows per receiver, oldest first. */
struct outbox_row { uint64_t row; char receiver[NAME_MAX_OCTETS]; struct wall queued; struct event event; };
int	store_outbox_put(struct store *s, const char *receiver, const struct event *e, uint64_t *row);
int	store_outbox(struct store *s, int (*each)(void *arg, const struct outbox_row *r), void *arg);
/* The event of one row, read again when it is sent. -ENOENT: no such row. -EBADMSG: it cannot be read. */
int	store_outbox_get(struct store *s, uint64_t row, struct event *out);
int	store_outbox_done(struct store *s, uint64_t row);	/* delivered, expired or replaced by a newer one */
/* Removes what is older than the time given: history, events. */
int	store_prune(struct store *s, struct wall before);
#endif
