/* agent/engine/engine.h: all decisions: reports of polls in, events and outbox rows on disk, deliveries and polls asked for.
 * No socket, no clock: time comes in with each call, what is to be done goes out through `engine_ops`. loop.c connects it. */
#ifndef CAMTRAPD_ENGINE_H
#define CAMTRAPD_ENGINE_H
#include <stdint.h>

#include "base/clock.h"
#include "config/conf.h"
#include "model/registry.h"
#include "proc/messages.h"
#include "store/store.h"

struct engine;				/* opaque */

struct moment { struct mono mono; struct wall wall; };

struct engine_ops {
	void	(*poll_now)(void *arg, uint64_t key);		/* this switch, as soon as possible; 0: every one */
	void	(*resync)(void *arg, uint64_t key);
	void	(*deliver)(void *arg, const struct msg_deliver *m);	/* one try; the answer is engine_delivered() */
	void	(*random)(void *arg, uint8_t *out, size_t n);
	/* Part of the answer to a query: JSON text; `more` false ends it. */
	void	(*answer)(void *arg, uint32_t id, const char *json, size_t n, bool more);
	/* True while whoever asked is slow: a long answer goes on with a later tick. NULL: never. */
	bool	(*answer_busy)(void *arg);
};
#define POLLERS_MAX 16

/* Loads what the store knows. Borrows `store` and `registry`; takes over `conf`. NULL: out of memory or the store failed. */
struct engine	*engine_new(struct conf *conf, struct registry *registry, struct store *store,
		    const struct store_opened *opened, const struct engine_ops *ops, void *arg, struct moment now);
void		 engine_free(struct engine *e);

/* A new configuration, taken over: switches come and go, policies are applied to all that is known. */
void	engine_configure(struct engine *e, struct conf *conf, struct registry *registry, struct moment now);

/* From pollers, in three kinds of pieces. A report counts when its end has come; a broken or out-of-order one is dropped, counted
 * and asked for again by resync. This begins one; a half one of the same switch is dropped. */
void	engine_report_begin(struct engine *e, const struct msg_report *r, struct moment now);
/* Rows as in MSG_REPORT_ROWS, borrowed for the call. */
void	engine_report_rows(struct engine *e, uint64_t key, struct msg_in *rows);
/* All that follows from the report is decided, and on disk, when this returns. */
void	engine_report_end(struct engine *e, uint64_t key, struct moment now);

/* How one try of MSG_DELIVER went. */
void	engine_delivered(struct engine *e, const struct msg_delivered *m, struct moment now);
/* Our SNMP engine: its id, made once and kept in the database, and its boots, one more with each call. 0: `id` is filled in.
 * Else: -errno, tried again later. */
int	engine_identity(struct engine *e, struct msg_identity *id, struct moment now);
/* notify is there (again): what was in flight is tried anew. */
void	engine_notify_up(struct engine *e, bool up, struct moment now);
/* A process ended or is back: told to the receivers. */
void	engine_process(struct engine *e, const struct msg_process *m, struct moment now);
/* Something around us is not as it should be: told to the receivers. */
void	engine_trouble(struct engine *e, const char *text, struct moment now);
/* For `status`: how each process is. */
void	engine_role(struct engine *e, const struct msg_role *m);
/* For `status`: how the last reload went. */
void	engine_reload(struct engine *e, const struct msg_reload *m);
/* For `status`: what a poller has counted. */
void	engine_counters(struct engine *e, unsigned poller, const struct msg_counters *m);
/* For `status`: so many messages to and from our other processes were dropped so far, because they did not decode or were not read. */
void	engine_messages_dropped(struct engine *e, uint64_t n);
/* Whoever asks has gone: answers that are being given end. */
void	engine_views_gone(struct engine *e);
/* A question of an operator: answered by engine_ops.answer, now or with a later tick. */
void	engine_query(struct engine *e, const struct msg_query *q, struct moment now);

/* Writes what would wait for the next batch; before engine_free(). */
void	engine_stop(struct engine *e, struct moment now);
/* Does what is due. Returns milliseconds until it wants to be called again (1 to 60,000). */
int64_t	engine_tick(struct engine *e, struct moment now);
/* The database is broken: this engine has told what it could, and the next one will move it aside. */
bool	engine_is_over(const struct engine *e, struct moment now);
#endif
