/* agent/model/detection.h: one restricted device and what we say of it; and the events told to people and receivers. */
#ifndef CAMTRAPD_DETECTION_H
#define CAMTRAPD_DETECTION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/ulid.h"
#include "model/enums.h"
#include "model/mac.h"
#include "model/policy.h"

#define NAME_MAX_OCTETS 65		/* names in the configuration: 64 octets and the NUL */

struct place {				/* a port of a polled switch */
	char		switch_name[NAME_MAX_OCTETS];	/* "": none */
	uint32_t	if_index;	/* 0 unknown */
	char		port[64];	/* ifName, cleaned */
	char		alias[64];	/* ifAlias, cleaned */
	uint16_t	vlan;		/* 0 unknown */
};

#define CANDIDATES_MAX 8
struct location {
	enum verdict	verdict;
	enum reason	reason;
	char		reason_text[128];
	struct place	place;
	struct place	candidates[CANDIDATES_MAX];	/* where it is not unique */
	uint8_t		n_candidates;
};

/* How receivers have heard of a detection: not yet; as one of a number (summary, macFlood); by an event of its own. */
enum telling { TOLD_NOT, TOLD_COUNTED, TOLD_SINGLY };

struct detection {
	uint32_t	id;		/* never reused; MIB index */
	struct mac	mac;
	char		vendor[49];
	char		policies[128];	/* comma separated set names */
	enum presence	presence;
	enum handling	handling;
	enum origin	origin;
	enum confidence	confidence;
	enum severity	severity;
	struct location	location;
	char		site[NAME_MAX_OCTETS];
	struct ip	ip;		/* family 0: not known */
	struct wall	first_seen, last_seen, gone_at;
	bool		absent;		/* the last complete poll of the switch of its place did not show it; else that poll is last_seen */
	struct wall	since;		/* at this place; of one that is gone: when it left */
	struct wall	arrived;	/* plugged in at last: when it was found first, or came back */
	struct evidence	evidence[EVIDENCE_MAX];
	uint8_t		n_evidence;
	char		maker_reason[128];	/* verdict_of_maker.reason */
	bool		conflict;
	bool		announced;	/* decided: it has an id, is stored and shown */
	enum telling	told;
	char		handled_by[64], handled_why[128];
	struct wall	waived_until;
};

/* What goes into the event log, the outbox and a notification. Absent texts are "", absent numbers 0. */
struct event {
	char		id[ULID_TEXT];
	uint32_t	sequence, epoch;
	enum event_type	type;
	struct wall	at;
	enum severity	severity;
	uint32_t	detection_id;	/* 0: about a switch or the agent */
	struct mac	mac;
	char		vendor[49], policy[128];
	enum confidence	confidence;
	enum presence	presence;
	enum handling	handling;
	enum origin	origin;
	char		site[NAME_MAX_OCTETS], switch_name[NAME_MAX_OCTETS], switch_location[NAME_MAX_OCTETS];
	struct ip	switch_address;
	uint32_t	if_index;
	char		port[64], alias[64];
	uint16_t	vlan;
	struct ip	device_address;
	enum verdict	verdict;
	char		reason[128];	/* location reason */
	char		evidence[160];
	uint32_t	count;		/* summary, macFlood, switch events */
	char		text[160];	/* one line for people */
	/* Latency: what is known of the chain; 0 unknown. */
	struct wall	seen_at, decided_at;
};

/* Octets for messages and the database; each kind starts with its version, but a location. Encoders say in b->bad that there was no
 * memory. Decoders: 0, or -EBADMSG (out of range, too long, cut); they do not ask for the end of `m`: the caller does. */
void	event_encode(struct buf *b, const struct event *e);
int	event_decode(struct msg_in *m, struct event *e);
void	location_encode(struct buf *b, const struct location *l);
int	location_decode(struct msg_in *m, struct location *l);
void	detection_encode(struct buf *b, const struct detection *d);
int	detection_decode(struct msg_in *m, struct detection *d);
#endif
