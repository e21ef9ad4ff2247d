/* agent/engine/core.h: what the files of the engine share: its state. Only this folder includes it. */
#ifndef CAMTRAPD_CORE_H
#define CAMTRAPD_CORE_H
#include "engine/engine.h"
#include "engine/net.h"
#include "engine/outbox.h"

/* A detection and what only this run needs to know. */
struct finding {
	struct detection d;
	bool		 held;		/* not told yet: its place is being looked for */
	struct mono	 held_until;
	uint32_t	 asks;		/* polls asked for on its way down the tree */
	struct wall	 seen_at;	/* when the report that showed it had ended */
	uint32_t	 absent_polls;	/* complete polls of its switch without it */
	struct wall	 present_since;
	bool		 dirty;		/* changed without an event: to be written with the next batch */
};

struct flood { char switch_name[NAME_MAX_OCTETS]; uint32_t if_index; struct mono start; uint32_t count; bool told; };
#define FLOODS_MAX 64

/* A port whose conflict was told: it is told again only after it had ended. */
struct told_conflict { uint64_t key; uint32_t if_index; bool still; };

struct incoming;			/* a report on its way (engine.c) */

/* A question that waits for something. */
struct waiting {
	struct waiting	*next;
	struct msg_query query;
	uint64_t	 key;		/* poll: the switch */
	char		 event_id[ULID_TEXT];	/* test */
	struct mono	 until, asked;
};

struct engine {
	struct conf		*conf;
	struct registry		*registry;
	struct store		*store;
	const struct engine_ops	*ops;
	void			*arg;
	uint32_t		 epoch;
	struct net		 net;
	struct outbox		*outbox;
	struct finding		**findings;	/* in order of id */
	size_t			 n_findings, cap_findings;
	struct incoming		*incoming;
	uint64_t		*changed;	/* MACs to look at */
	size_t			 n_changed, cap_changed;
	bool			 ports_stale, all_stale;
	bool			 swept;		/* every configured switch was asked once */
	struct flood		 floods[FLOODS_MAX];
	struct told_conflict	*conflicts;
	size_t			 n_conflicts, cap_conflicts;
	struct waiting		*waiting;
	struct mono		 started, heartbeat_at, batch_at, prune_at;
	struct wall		 started_wall, last_complete_sweep;
	bool			 store_ok;
	uint64_t		 counters[8];
	uint64_t		 latency_ms[256];	/* the latest, seen → acknowledged */
	uint32_t		 n_latency;
};

enum engine_counter { CNT_REPORTS, CNT_REPORTS_DROPPED, CNT_RESYNCS, CNT_EVENTS, CNT_STORE_FAILURES, CNT_FLOODED, CNT_POLLS_ASKED };

/* detect.c */
/* Looks at one MAC again: is it restricted, where is it, is there something to tell. */
void		 detect_mac(struct engine *e, struct mac mac, struct moment now);
/* A poll of `sw` was applied: its baseline, what is absent from it. */
void		 detect_polled(struct engine *e, struct sw *sw, bool complete, struct moment now);
void		 detect_reachability(struct engine *e, struct sw *sw, struct moment now);
/* Held findings whose time has come. Milliseconds until the next. */
int64_t		 detect_tick(struct engine *e, struct moment now);
struct finding	*finding_of(const struct engine *e, struct mac mac);
struct finding	*finding_add(struct engine *e, const struct detection *d);	/* NULL: out of memory */

/* events.c */
/* Fills in id, sequence, epoch and time; writes the detection (NULL: none), the event and an outbox row per receiver in one
 * transaction; hands the rows to the outbox. 0, or negative: nothing happened, try again later. `only`: one receiver. */
int		 event_commit(struct engine *e, struct event *ev, const struct detection *d, const char *only, struct moment now);
void		 event_of_finding(const struct engine *e, const struct finding *f, enum event_type type, struct event *ev);
void		 event_of_switch(const struct engine *e, const struct sw *sw, enum event_type type, struct event *ev);
void		 event_of_agent(enum event_type type, enum severity severity, const char *text, struct event *ev);

/* answer.c */
void		 answer_query(struct engine *e, const struct msg_query *q, struct moment now);
void		 answer_polled(struct engine *e, const struct sw *sw, struct moment now);
void		 answer_delivered(struct engine *e, const char *event_id, const struct msg_delivered *m, struct moment now);
int64_t		 answer_tick(struct engine *e, struct moment now);
void		 answer_free(struct engine *e);
#endif
