/* agent/proc/messages.h: every message between our processes: one type, one struct, one encoder, one decoder. */
#ifndef CAMTRAPD_MESSAGES_H
#define CAMTRAPD_MESSAGES_H
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/detection.h"
#include "model/enums.h"

enum msg_type {
	/* parent -> child */
	MSG_CONF = 1,		/* fd: sealed memfd with conf_encode() */
	MSG_PEER,		/* fd: a socket pair's end; body: struct msg_peer */
	MSG_STOP,
	MSG_PING,		/* u64, echoed by MSG_PONG */
	MSG_PROCESS,		/* to the engine: struct msg_process */
	MSG_RELOAD,		/* to the engine: struct msg_reload, after each reload and to each new engine */
	MSG_ROLE,		/* to the engine: struct msg_role, after each change and all of them to each new engine */
	MSG_LISTEN,		/* fd: the listening control socket; to views, before its configuration */
	/* child -> parent */
	MSG_READY = 32,		/* u8: its system calls are filtered */
	MSG_PONG,		/* u64 of the MSG_PING */
	/* poller -> engine */
	MSG_REPORT_BEGIN = 64,	/* struct msg_report */
	MSG_REPORT_ROWS,	/* key u64, then rows as u16 length + packed row: a part of the report begun */
	MSG_REPORT_END,		/* key u64 */
	MSG_COUNTERS,		/* struct msg_counters, now and then */
	/* engine -> poller */
	MSG_RESYNC = 96,	/* u64 key: poll soon, and send all rows */
	MSG_POLL_NOW,		/* u64 key; 0: of every switch */
	/* engine -> notify */
	MSG_DELIVER = 128,	/* struct msg_deliver */
	MSG_IDENTITY,		/* struct msg_identity: once, first */
	/* notify -> engine */
	MSG_DELIVERED = 160,	/* struct msg_delivered */
	/* views -> engine */
	MSG_QUERY = 192,	/* struct msg_query */
	/* engine -> views */
	MSG_ANSWER = 224,	/* id u32, more u8, then JSON text (a whole document in order of arrival) */
};

enum peer_role { PEER_POLLER = 1, PEER_ENGINE, PEER_NOTIFY, PEER_VIEWS };
struct msg_peer { uint8_t role; uint8_t index; };

/* A process ended and is being restarted, or is back. */
struct msg_process { char who[32]; bool up; uint32_t restarts; char why[96]; };

/* How the last reload (SIGHUP) went. A refused one changed nothing. */
struct msg_reload { struct wall at; bool ok; char why[200]; /* "FILE:LINE: text (and 2 more mistakes)"; "" when ok */ };

/* A process as the parent sees it, for `status`; unlike struct msg_process it is no event. */
enum role_state { ROLE_STARTING = 1, ROLE_UP, ROLE_WAITING };	/* WAITING: ended, its restart is due later */
struct msg_role {
	char		who[32];
	uint8_t		state;		/* enum role_state */
	uint32_t	pid;		/* 0: not running */
	uint32_t	restarts;
	bool		looping;	/* ended more than 5 times in 60 s */
	bool		filtered;	/* its system calls are filtered; false while starting */
	struct wall	since;		/* of this state */
};

/* What a report says of the rows: nothing; they are those of the report with the same `sum`; or they follow, the whole of the tables
 * in `complete` and what was read of the others. */
enum report_rows { REPORT_NONE, REPORT_SAME, REPORT_ROWS };

/* One poll of one switch. */
struct msg_report {
	uint64_t	key;		/* conf_switch.key */
	uint64_t	sum;		/* tables_sum() of a poll that read every table to its end; 0: of none, or of another */
	uint8_t		rows;		/* enum report_rows */
	uint8_t		state;		/* enum switch_state */
	uint8_t		complete;	/* ROW_BIT()s of tables read to their end */
	bool		restarted;	/* the switch did, in the midst of the poll */
	struct wall	started, finished;
	struct mono	began;		/* when it was started, by the clock that nobody sets: all our processes have the same */
	uint32_t	uptime_cs;	/* sysUpTime; 0 unknown */
	uint32_t	requests, timeouts;
	uint32_t	missed;		/* polls in a row without an answer */
	char		credential[NAME_MAX_OCTETS];	/* which one worked; "" none */
	char		error[160];	/* one line; "" none */
};

/* What a poller has counted since it began; the names are those of `status`. */
#define POLLER_COUNTERS(X)									\
	X(requests, "datagrams asked") X(replies, "datagrams answered") X(timeouts, "questions that nobody answered in time")	\
	X(resent, "asked once more after a time-out or a nudge") X(nudges, "asked for sysUpTime, as an answer was late")	\
	X(unsent, "datagrams that the system did not take")		\
	X(strays, "datagrams from nobody who was asked, or too late")						\
	X(mismatched, "replies of another version, community or user than asked")				\
	X(malformed, "replies that are not SNMP")								\
	X(replaced, "SNMPv3 engines that others answered for, with an engine ID of their own")			\
	X(untold, "polls with more rows than a report takes, or than there was memory for")
#define POLLER_COUNTER_FIELD(name, help) uint64_t name;
struct msg_counters { POLLER_COUNTERS(POLLER_COUNTER_FIELD) };

struct msg_deliver {
	uint64_t	row;		/* outbox row */
	char		receiver[NAME_MAX_OCTETS];
	char		agent[33];
	struct event	event;
};

enum delivery { DELIVERY_ACKNOWLEDGED = 1, DELIVERY_SENT, DELIVERY_TIMED_OUT, DELIVERY_REFUSED, DELIVERY_FAILED };
struct msg_delivered { uint64_t row; uint8_t result; uint32_t rtt_ms; char why[96]; };

/* Our SNMP engine: stable id, boots counted by the engine before this is sent: on disk, or far ahead in memory while that fails. */
struct msg_identity { uint8_t engine_id[32]; uint8_t engine_id_len; uint32_t boots; };

/* A question or an order of an operator, from the control socket. */
struct msg_query {
	uint32_t	id;
	char		command[24];	/* "status", "switches", "topology", "doctor", "find", "poll", "test" */
	char		argument[256];
	bool		all;
	uint32_t	uid;		/* of the socket's peer */
};

/* Encoders append to `b`; decoders want the whole body and fill `m` (which holds rubbish after an error). */
/* Each message has an encoder, and a decoder that returns 0, or -EBADMSG: drop the message, count it, keep running. */
#define MESSAGE(name)								\
	void	name##_encode(struct buf *b, const struct name *m);		\
	int	name##_decode(struct msg_in *in, struct name *m)
MESSAGE(msg_peer);
MESSAGE(msg_process);
MESSAGE(msg_reload);
MESSAGE(msg_role);
MESSAGE(msg_report);
MESSAGE(msg_counters);
MESSAGE(msg_deliver);
MESSAGE(msg_delivered);
MESSAGE(msg_identity);
MESSAGE(msg_query);
#endif
