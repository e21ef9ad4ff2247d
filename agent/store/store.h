/* agent/store/store.h: what must survive, behind one narrow header: no SQL, no SQLite type leaves this folder.
 * One writer (the engine). All functions return 0 or a negative errno-like code, with its text in store_error(): -ENOSPC disk full
 * (a quota or a size limit too), -EBUSY somebody else holds the file, -EROFS it cannot be written, -EBADMSG it is broken, -ENOMEM,
 * -EIO anything else wrong with it. After an error store_rollback() and go on: the next call may succeed. Texts and blobs given are
 * copied; those handed to an `each` are borrowed until it returns. A row that does not decode is passed over and said. */
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
	bool		state_lost;	/* ... because a broken one was moved aside, to `moved_to` */
	char		moved_to[512];
	uint32_t	epoch;		/* 1..2^31-1, drawn when the database was made: another one means that state was lost */
};

/* For the engine: locks `dir` against a second camtrapd, makes or checks "DIR/camtrapd.db". A file that is broken or not ours is moved
 * aside; what only cannot be read or written now stays where it is and is an error (-EBUSY also: another camtrapd has `dir`).
 * -EPROTO: written by a newer version: left as it is, to the octet. On failure *out holds the text only; store_close() it. `now`
 * names the file moved aside. */
int	store_open(struct store **out, const char *dir, struct wall now, struct store_opened *opened);
/* For views: read-only, beside a writer or without one. No call leaves a snapshot open, which would make the WAL grow. On failure
 * *out holds the text only; store_close() it. -EPROTO: another version's or another program's. */
int	store_open_reader(struct store **out, const char *dir);
void	store_close(struct store *s);	/* NULL is fine */
const char *store_error(const struct store *s);	/* borrowed, of the last failure; NULL: out of memory */

/* Everything between begin and commit is on disk together or not at all. Commit returns after fsync. */
int	store_begin(struct store *s);
int	store_commit(struct store *s);
uint64_t store_transactions(const struct store *s);	/* committed since it was opened */
void	store_rollback(struct store *s);	/* also when nothing is open: a full disk has rolled back by itself */

/* Counters that never go back: the next value, from 1; part of the open transaction. -ERANGE: after 2^32-1. Stored: never renumber. */
enum store_counter { COUNTER_DETECTION, COUNTER_EVENT, COUNTER_BOOTS, COUNTERS };
int	store_next(struct store *s, enum store_counter c, uint32_t *out);
/* The value given last; 0: none yet. */
int	store_counter(struct store *s, enum store_counter c, uint32_t *out);
/* For who went on counting while nothing could be written; part of the open transaction. */
int	store_counter_put(struct store *s, enum store_counter c, uint32_t value);
/* A database made after a broken one was moved aside has this blob from its first moment: where that went. The engine empties it
 * when the loss is told. */
#define STORE_STATE_LOST "state-lost"
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
/* Inserts or replaces by name; the stored table stays when table.len is 0. Sets `number`. */
int	store_switch_put(struct store *s, struct store_switch *sw);
/* In order of number; `each` returns 0 to go on, anything else is returned (so everywhere below). */
int	store_switches(struct store *s, int (*each)(void *arg, const struct store_switch *sw), void *arg);
/* Its number is never given again. Not there: 0. */
int	store_switch_forget(struct store *s, const char *name);

/* Inserts or replaces by id, evidence too. One address is one row: what is stored of it under another id goes, history too. */
int	store_detection_put(struct store *s, const struct detection *d);
/* In order of id. A present device's last_seen is that of its switch's last complete poll, which is not written with each. */
int	store_detections(struct store *s, int (*each)(void *arg, const struct detection *d), void *arg);
/* It and its history. Not there: 0. Its id is never given again. */
int	store_detection_forget(struct store *s, uint32_t id);
/* A closed presence: where the device was, from when to when. The detection must be there. */
int	store_presence_put(struct store *s, uint32_t detection_id, const struct place *at, struct wall from, struct wall to);
/* Oldest first. */
int	store_presences(struct store *s, uint32_t detection_id, int (*each)(void *arg, const struct place *at, struct wall from, struct wall to), void *arg);

/* Its sequence and id must be new. */
int	store_event_put(struct store *s, const struct event *e);
/* Oldest first; of those at or after `since` (0: all) and with sequence > `after` the first `limit`. */
int	store_events(struct store *s, struct wall since, uint32_t after, size_t limit, int (*each)(void *arg, const struct event *e), void *arg);

/* Outbox: rows per receiver. Each holds the whole event: it does not depend on the event log. */
struct outbox_row { uint64_t row; char receiver[NAME_MAX_OCTETS]; struct wall queued; struct event event; };
int	store_outbox_put(struct store *s, const char *receiver, const struct event *e, uint64_t *row);
/* Oldest first. */
int	store_outbox(struct store *s, int (*each)(void *arg, const struct outbox_row *r), void *arg);
/* The event of one row, read again when it is sent. -ENOENT: no such row. -EBADMSG: it cannot be read. */
int	store_outbox_get(struct store *s, uint64_t row, struct event *out);
int	store_outbox_done(struct store *s, uint64_t row);	/* delivered, expired or replaced by a newer one */
/* Removes closed presences and events from before the time given; no event that is as old as the outbox's oldest, or newer. */
int	store_prune(struct store *s, struct wall before);
#endif
