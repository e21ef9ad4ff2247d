/* agent/engine/outbox.h: which notification goes to which receiver when. In order per device, 32 in flight per receiver, one
 * receiver never delays another, 50 a second; a receiver that does not answer is tried with its oldest row after 1, 2, 4 … 300 s.
 * Of more than 100,000 rows those go first that a later one has cleared (gone, reachable again), then the oldest. The events
 * themselves stay in the store until they are sent; a row here is a few words. Pure. */
#ifndef CAMTRAPD_OUTBOX_H
#define CAMTRAPD_OUTBOX_H
#include "engine/engine.h"

struct outbox;				/* opaque */

struct outbox_ops {
	void	(*deliver)(void *arg, const struct msg_deliver *m);
	void	(*random)(void *arg, uint8_t *out, size_t n);
	/* Reads the event of a row. 0; -EBADMSG or -ENOENT: it is lost (counted, said, settled); else: try again later. */
	int	(*load)(void *arg, uint64_t row, struct event *out);
	/* A row that no disk has yet (OUTBOX_UNSAVED) is done with. */
	void	(*unsaved_done)(void *arg, uint64_t row);
};

/* Set in the number of a row that exists in memory only, because the disk takes nothing (unsaved.c). */
#define OUTBOX_UNSAVED (1ull << 63)

/* What the last tries have shown. REFUSED: it answers, but takes nothing of ours: another password, a user that it does not know. */
enum receiver_state { RECEIVER_UP, RECEIVER_DOWN, RECEIVER_REFUSED };

struct outbox_figures {
	const char	*receiver;	/* borrowed */
	bool		 inform;
	enum receiver_state state;
	bool		 orphan;	/* no longer configured */
	size_t		 queued, in_flight;
	uint64_t	 delivered, timed_out, refused, expired;	/* expired: over 7 days or over 100,000 rows */
	struct wall	 oldest;	/* 0: nothing queued */
	const char	*last_failure;	/* borrowed; "": the last try was answered */
};

struct outbox	*outbox_new(const struct outbox_ops *ops, void *arg);	/* NULL: out of memory */
void		 outbox_free(struct outbox *o);
/* The receivers in force, and our name in notifications; both are copied. Who is defined as before keeps his state. */
void		 outbox_configure(struct outbox *o, const struct conf *c);
/* Takes a row that is committed, or OUTBOX_UNSAVED. A heartbeat takes the place of an older one that waits. false: out of memory;
 * it stays in the store for the next start. */
bool		 outbox_add(struct outbox *o, const struct outbox_row *row, struct moment now);
/* Rows that are done with, to be taken out of the store with the next batch; borrowed until outbox_settled(). A crash before
 * that sends some again, with the same event id. */
const uint64_t	*outbox_done(const struct outbox *o, size_t *n);
void		 outbox_settled(struct outbox *o);
/* Each row that is OUTBOX_UNSAVED goes through `put`, in the order of each receiver: 0, with the number that the row has in the
 * store's open transaction. After the commit outbox_saved() gives them these numbers; what is in flight stays so. The first error
 * of `put` is returned. */
int		 outbox_save(struct outbox *o, int (*put)(void *arg, const char *receiver, uint64_t unsaved, uint64_t *row), void *arg);
void		 outbox_saved(struct outbox *o);
/* The event that the result is about, borrowed until the next call; NULL: nothing of that row is in flight. */
const struct event *outbox_result(struct outbox *o, const struct msg_delivered *m, struct moment now);
/* notify came or went: what was in flight waits again. */
void		 outbox_notify_up(struct outbox *o, bool up);
/* A receiver's queue began to overflow, and rows of it expire, or that has ended: each is said once. false: nothing new. */
struct outbox_overflow { const char *receiver; bool begun; size_t queued; uint64_t expired; };	/* receiver: borrowed */
bool		 outbox_overflow(struct outbox *o, struct outbox_overflow *out);
/* Hands out what is due. Milliseconds until there is something to do again. */
int64_t		 outbox_tick(struct outbox *o, struct moment now);
/* n counts up from 0; false: no such receiver. */
bool		 outbox_figures(const struct outbox *o, size_t n, struct outbox_figures *out);
#endif
