/* agent/engine/core.h: what the files of the engine share: its state. Only this folder includes it. */
#ifndef CAMTRAPD_CORE_H
#define CAMTRAPD_CORE_H
#include "base/map.h"
#include "engine/engine.h"
#include "engine/net.h"
#include "engine/outbox.h"

/* A detection and what only this run needs to know. */
struct finding {
	struct detection d;
	bool		 held;		/* not told yet: its place is being looked for */
	bool		 stock;		/* where it was seen before it was told nobody had looked before: it may have been there */
	struct mono	 held_until;
	uint32_t	 asks;		/* polls asked for on its way down the tree */
	struct wall	 seen_at;	/* when the report that showed it had ended */
	uint32_t	 absent_polls;	/* complete polls of its switch without it; past the second only those since gone_due */
	struct mono	 gone_due;	/* by then it is absent for the ageing time of its switch */
	struct mono	 absent_at;	/* when the first poll without it had ended */
	bool		 absence_owed;	/* that is to be judged again, by then or soon */
	int64_t		 placed_since;	/* what shows elsewhere since an older table was known when its place was told; 0 or less: nothing */
	int64_t		 gone_since;	/* the newest table when it was found to be gone; 0: before this run */
	bool		 dirty;		/* changed without an event: to be written with the next batch */
	bool		 unsaved;	/* changed while the disk takes nothing (unsaved.c) */
	bool		 unlist_owed;	/* no policy is about it, and that could not be written yet */
	uint64_t	 made;		/* its place in the order of findings and baselines; 0: in an earlier run */
	struct mono	 moves_from;	/* the window in which its moves are counted */
	uint32_t	 moves;
	bool		 move_owed;	/* it moved on without being told */
	struct sw	*at;		/* whose list it is in; NULL: engine.nowhere */
	struct finding	*next_at;
};

/* How many single alarms a port had in its minute. */
struct flood { char switch_name[NAME_MAX_OCTETS]; uint32_t if_index; struct mono start; uint32_t count; };
#define FLOODS_MAX 64

/* A port whose conflict was told: it is told again only after it had ended. Kept over restarts. */
struct told_conflict { uint64_t key; uint32_t if_index; bool still; };

struct incoming;			/* a report on its way (reports.c) */

/* A question that waits for something. */
struct waiting {
	struct waiting	*next;
	struct msg_query query;
	uint64_t	 key;		/* poll: the switch; 0: every one */
	size_t		 left;		/* poll of every one: reports still to come */
	char		 event_id[ULID_TEXT];	/* test */
	struct mono	 until, asked;
	struct wall	 asked_wall;	/* a poll that began before the order is not the one ordered */
};

/* What was decided while the disk takes nothing: kept here, sent from here, and written when the disk is well (unsaved.c). */
enum storage { STORAGE_OK, STORAGE_FAILED, STORAGE_MENDED };	/* MENDED: writes succeed again, but that was not told yet */
struct unsaved_event { struct event event; uint64_t first_row; uint32_t n_rows, waiting; };
struct unsaved_presence { uint32_t detection_id; struct place at; struct wall from, to; };
struct unsaved {
	struct unsaved_event	*events;	/* in the order of their rows */
	size_t			 n_events, cap_events;
	size_t			 n_heard;	/* of them: everybody has them */
	struct unsaved_presence	*presences;
	size_t			 n_presences, cap_presences, mark_presences;	/* mark: before the change that is open */
	uint64_t		 next_row;
	bool			 conflicts, policies, state_lost;	/* these are to be written, too */
	uint32_t		 last[COUNTERS], drawn[COUNTERS];	/* given last: on disk, and in the open transaction */
	bool			 gap_owed[COUNTERS];
	bool			 trouble_owed, broken;
	bool			 writing;	/* it is being written just now */
	char			 why[128];
	struct mono		 failed_at, retry_at, mended_at;
	int64_t			 backoff_ms;
	uint64_t		 saved;		/* events of this episode that went from memory to the disk */
};

#define ROLES_MAX 24

enum engine_counter { CNT_REPORTS, CNT_REPORTS_DROPPED, CNT_RESYNCS, CNT_EVENTS, CNT_STORE_FAILURES, CNT_FLOODED, CNT_POLLS_ASKED,
	CNT_EVENTS_DROPPED, CNT_FINDINGS_REFUSED, CNT_MOVES_DAMPED, CNT_CONFLICTS_UNTOLD, CNT_EVENTS_FROM_MEMORY,
	CNT_MESSAGES_DROPPED, CNT_ANSWERS_STRAY, CNT_ROWS_LATE, CNT_REPORTS_REFUSED, CNT_TABLES_FORGOTTEN, CNT_N };

struct engine {
	struct conf		*conf;
	struct registry		*registry;
	struct store		*store;
	const struct engine_ops	*ops;
	void			*arg;
	uint32_t		 epoch;
	uint64_t		 order;		/* counts findings and baselines: which was first does not depend on a clock */
	struct net		 net;
	struct outbox		*outbox;
	struct finding		**findings;	/* in order of their making */
	size_t			 n_findings, cap_findings;
	struct mono		 nowhere_at;	/* when they were last looked at */
	struct finding		*nowhere;	/* those whose place names no polled switch */
	struct map		 by_mac;	/* findings */
	struct map		 by_block;	/* organisation of the registry to whether some policy is about it (detect.c) */
	struct outbox_row	*pending;	/* of the change being written (events.c) */
	size_t			 n_pending, cap_pending;
	struct incoming		*incoming;
	uint64_t		*changed;	/* MACs to look at */
	size_t			 n_changed, cap_changed;
	bool			 all_stale;	/* the policies or the registry changed: everything known is looked at again */
	bool			 conflicts_owed;	/* one could not be written, or there were many at once: tried again */
	bool			 summaries_owed;	/* there may be findings that a summary or a macFlood still has to count */
	struct sw		*polled_owed;	/* those that have, in a list; NULL: none */
	bool			 tables_dirty;	/* some switch has a table that is not on disk */
	uint64_t		 policies_of;	/* hash of those in force in this run */
	bool			 prefix_rules;	/* the policies have rules about address blocks of the operator's own */
	bool			 swept;		/* every configured switch was asked once */
	bool			 first_run;	/* when it began there was no baseline of any switch */
	enum { POLICY_SAME, POLICY_SINCE_LAST_RUN, POLICY_NOW } policy;	/* why a device may be found that was there before */
	struct mono		 topology_at;	/* not before this the next pass over all ports */
	struct mono		 passed_at;	/* the last one */
	uint64_t		 poured;	/* reports until that was last asked about (work.c) */
	struct flood		 floods[FLOODS_MAX];
	struct told_conflict	*conflicts;
	size_t			 n_conflicts, cap_conflicts;
	size_t			 conflicts_left;	/* there were so many more than the list takes */
	struct event		*owed_events;	/* about ourselves, that could not be written yet */
	size_t			 n_owed_events, cap_owed_events;
	struct mono		 owed_at;
	bool			 relearning;	/* state was lost, and not every switch has a baseline since */
	char			 state_lost[256];	/* where a broken database was moved; "": none, or told */
	struct waiting		*waiting;
	struct listing		*listings;	/* answers being given (find.c) */
	struct msg_role		roles[ROLES_MAX];	/* as the parent last said */
	size_t			 n_roles;
	struct msg_reload	 reload;	/* at 0: none since this engine began */
	struct msg_counters	 polled[POLLERS_MAX];	/* what each poller counts */
	struct moment		 loading;	/* when this run began */
	int64_t			 since;		/* of the newest table: SINCE_US of this run, and always more than the one before */
	struct mono		 started, heartbeat_at, batch_at, prune_at;
	struct wall		 started_wall;
	size_t			 sweep_at;	/* before the first sweep: all switches before this one were asked */
	size_t			 unread_at;	/* in net.switches: the one that a finding waited for last (detect.c) */
	struct wall		 last_poll;	/* the one that was answered last, of any switch: not the greatest, clocks are set back */
	enum storage		 storage;
	struct unsaved		 unsaved;
	uint8_t			 engine_id[32];	/* our SNMP engine's, once it was read */
	size_t			 engine_id_len;
	uint64_t		 counters[CNT_N];
	uint64_t		 latency_ms[256];	/* the latest, seen → acknowledged */
	uint32_t		 n_latency;
};


/* detect.c */
/* Looks at one MAC again: is it restricted, where is it, is there something to tell. */
void		 detect_mac(struct engine *e, struct mac mac, struct moment now);
/* Is there anything that could make this MAC a finding? Almost all are ordinary, and this has to be cheap for them. */
bool		 detect_is_worth_a_look(struct engine *e, struct mac mac);
/* The registry or a rule about addresses says that it is of a restricted maker; what its neighbours say is not asked. */
bool		 detect_by_block(struct engine *e, struct mac mac);
/* A poll of `sw` was applied: what is absent from it. */
void		 detect_polled(struct engine *e, struct sw *sw, bool complete, struct moment now);
/* The baseline is an act with a date: what is located there now was there before we looked. It is on disk together with its date,
 * so that a crash makes nothing new of it; those of several switches in one change, for which the disk is waited for once. */
bool		 detect_is_baseline_due(const struct engine *e, const struct sw *sw);
void		 detect_baselines(struct engine *e, struct sw *const *due, size_t n, struct moment now);
/* It missed polls or answers again: its devices' presence, and an alarm for it or for the switch that it hangs behind. */
void		 detect_reachability(struct engine *e, struct sw *sw, struct moment now);
/* An ARP or ND table says the address of a finding. */
void		 detect_address(struct engine *e, struct mac mac, const struct ip *ip);
/* The switch is not configured any more: what hangs there cannot be asked for. */
void		 detect_forget(struct engine *e, struct sw *sw);
/* What was to be part of a number is told by an event of its own. */
void		 detect_tell_singly(struct engine *e, struct finding *f, struct moment now);
/* Held findings whose time has come, summaries owed. Milliseconds until the next. */
int64_t		 detect_tick(struct engine *e, struct moment now);

/* findings.c */
struct finding	*finding_of(const struct engine *e, struct mac mac);	/* NULL: none */
/* A new one, of a MAC that has none. NULL: out of memory. */
struct finding	*finding_add(struct engine *e, const struct detection *d);
/* The finding is what `d` says now, in the list of the switch it is at. */
void		 finding_take(struct engine *e, struct finding *f, const struct detection *d);
/* It is on the list of no switch from now on. */
void		 finding_leave(struct engine *e, struct finding *f);
/* Existing stock, and what a changed policy brings up, on sites that are not paged one by one: part of its switch's summary. */
bool		 is_quiet(const struct engine *e, const struct detection *d);
/* Those that `over` says yes to are no more, and their place in memory is free. */
void		 findings_remove(struct engine *e, bool (*over)(const struct finding *f, const void *arg), const void *arg);
bool		 is_placed(const struct location *l);	/* on a port, alone or shared */

/* summary.c */
/* False: the port had its eight single alarms in this minute; a macFlood will count what comes now. */
bool		 port_may_alarm(struct engine *e, const struct location *l, struct moment now);
/* A detection there is on disk: told singly, or left to the macFlood. */
void		 port_alarmed(struct engine *e, const struct location *l, bool singly, struct moment now);
/* Tells what is owed. Milliseconds until more may be. */
int64_t		 summaries_tell(struct engine *e, struct moment now);
/* The one of `sw`, unless something there is still held. */
void		 summary_tell(struct engine *e, struct sw *sw, struct moment now);

/* conflicts.c */
/* After uplinks_decide(): conflicts that are new are told, those that ended forgotten. */
void		 conflicts_tell(struct engine *e, struct moment now);
int		 conflicts_save(struct engine *e);	/* what was told; in an open change */
int		 conflicts_load(struct engine *e);	/* what an earlier run has told: 0 or an error of store.h */

/* events.c: a change is begun, gets its detections and events, and ends on disk whole or not at all; receivers hear of it only
 * afterwards. Each returns 0 or an error of store.h, and change_end() takes that error and undoes what was begun. -EAGAIN of
 * change_end(): the disk has just failed; the same change once more, from change_begin() on, is kept in memory and told from
 * there. Nothing but a failed disk makes that exception. */
int		 change_begin(struct engine *e);	/* a change of its own: they do not nest */
int		 change_detection(struct engine *e, struct detection *d);	/* gives it its id if it has none */
int		 change_switch(struct engine *e, struct sw *sw);
int		 change_presence(struct engine *e, uint32_t detection_id, const struct place *at, struct wall from, struct wall to);
/* Fills in id, sequence, epoch and time, and adds a row per receiver. `only`: for that receiver alone; NULL: all. */
int		 change_event(struct engine *e, struct event *ev, const char *only, struct moment now);
/* `rc`: 0, or what went wrong on the way. `what` is named in the log when it cannot be kept. */
int		 change_end(struct engine *e, int rc, const char *what, struct moment now);
/* An event about ourselves: now, or as soon as it can be written; more than 64 waiting are dropped and counted. */
void		 event_owe(struct engine *e, const struct event *ev, struct moment now);
/* Those that wait. Milliseconds until they are tried again. */
int64_t		 owed_events_tell(struct engine *e, struct moment now);
int		 event_commit(struct engine *e, struct event *ev, const char *only, struct moment now);	/* a change of one event */
/* *ev about a detection, all but what change_event() fills in. */
void		 event_of_finding(const struct engine *e, const struct finding *f, enum event_type type, struct event *ev);
/* Begins its text for people, and what it carries of a device's evidence, with this word. */
void		 event_mark(struct event *ev, const char *word);
/* The same about a switch; severity major, without a text. */
void		 event_of_switch(const struct engine *e, const struct sw *sw, enum event_type type, struct event *ev);
/* The same about ourselves. */
void		 event_of_agent(enum event_type type, enum severity severity, const char *text, struct event *ev);

/* work.c */
/* Does what changes and polls have left to do. False: the next pass over all ports has to be waited for. */
bool		 work(struct engine *e, struct moment now);
/* To be looked at with the next work(); `arg` is the engine. */
void		 mac_changed(void *arg, struct mac mac);
/* The same for all addresses that the neighbours of `sw` have. */
void		 neighbours_changed(struct engine *e, const struct sw *sw);
/* For net_table_set(): tells mac_changed() and detect_address(). */
struct net_listener listener(struct engine *e);
/* New policies or a new registry are in e->conf and e->registry. */
void		 policies_taken(struct engine *e);
/* Other ones than the run before remembered, or it is not known. */
bool		 policies_differ(struct engine *e);
bool		 policies_change(struct engine *e);	/* to others than were in force before in this run */
void		 policies_remember(struct engine *e, struct moment now);	/* those in force now */
int		 policies_save(struct engine *e);	/* the same in an open change */

/* engine.c: every switch may have its baseline now, and what is found from here on is not what was lost. */
void		 relearning_judge(struct engine *e, struct moment now);
/* In an open change: whether all is known again after a loss, and that it was told. */
int		 state_lost_save(struct engine *e, bool told);
/* In an open transaction. `table`: with its table, if that has changed. */
int		 switch_write(struct engine *e, struct sw *sw, bool table);
/* Every table that is not on disk, in an open transaction: what is told is on disk with what it was told from. While changes stay in
 * memory, nothing, and they stay owed. Once the transaction has ended well, tables_written(). */
int		 tables_write(struct engine *e);
void		 tables_written(struct engine *e);
/* What may wait for a quarter of a second. `all`: polls that changed nothing, too. */
void		 batch_write(struct engine *e, bool all, struct moment now);

/* unsaved.c */
int		 unsaved_load(struct engine *e);	/* 0 or an error of store.h */
void		 unsaved_free(struct engine *e);
/* The next value of a counter: of the open transaction, or while the disk fails of this run. */
int		 counter_next(struct engine *e, enum store_counter c, uint32_t *out);
void		 counters_committed(struct engine *e);
/* True: what is decided now stays in memory. */
bool		 in_memory(const struct engine *e);
/* The store has refused something, with this error: from now on changes stay in memory. */
void		 storage_failed(struct engine *e, int rc, struct moment now);
/* Room for `n` more events: 0, -ENOSPC or -ENOMEM. Of those that everybody has, the oldest make room: they are missing in the log. */
int		 unsaved_room(struct engine *e, size_t n);
void		 unsaved_add(struct engine *e, const struct event *ev, uint64_t first_row, uint32_t n_rows);	/* there is room */
int		 unsaved_presence_add(struct engine *e, const struct unsaved_presence *p);	/* 0 or -ENOMEM; of too many the oldest go */
int		 unsaved_event(const struct engine *e, uint64_t row, struct event *out);	/* -ENOENT: none */
void		 unsaved_row_done(struct engine *e, uint64_t row);
/* Writes what is owed when it is time to try, tells the failure and its end. Milliseconds until it has something to do again. */
int64_t		 storage_tick(struct engine *e, struct moment now);
void		 storage_stop(struct engine *e, struct moment now);	/* a last try, before this run ends */

/* reports.c */
void		 report_forget(struct engine *e, uint64_t key);	/* half a report of a switch that is not configured any more */
void		 reports_free(struct engine *e);	/* those that have not ended */

/* answer.c */
void		 answer_query(struct engine *e, const struct msg_query *q, struct moment now);	/* engine_query() */
/* Whoever waits for a poll of `sw`, and began to wait before this one began, is answered. */
void		 answer_forget(struct engine *e, struct sw *sw, struct moment now);	/* it is not waited for any more */
void		 answer_polled(struct engine *e, struct sw *sw, struct wall started, struct moment now);
/* Whoever waits for the delivery of this event is answered. */
void		 answer_delivered(struct engine *e, const char *event_id, const struct msg_delivered *m, struct moment now);
/* Those who have waited for too long, and listings. Milliseconds until the next. */
int64_t		 answer_tick(struct engine *e, struct moment now);
void		 answer_free(struct engine *e);		/* nobody is answered any more */
#endif
