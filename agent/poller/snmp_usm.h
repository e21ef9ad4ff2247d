/* agent/poller/snmp_usm.h: the SNMPv3 side of a peer: its keys, its engine, its user. Only snmp_ev.c includes it. */
#ifndef CAMTRAPD_SNMP_USM_H
#define CAMTRAPD_SNMP_USM_H
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <stdbool.h>

#include "config/conf.h"

/* Passwords made keys, once per process and password. */
struct snmp_keys;
void		 snmp_keys_free(struct snmp_keys *k);	/* all of them, wiped; NULL is fine */

/* An engine's clock as it was last heard, in the library's terms (RFC 3414 2.3). */
struct snmp_engine_clock { u_int boots, time; time_t heard; u_int authentic; };

/* Of a peer: two peers may well have one engine ID (a cloned configuration, a pair with one address) and yet differ in all else. */
struct snmp_usm {
	netsnmp_session			*session;	/* borrowed; NULL: not v3, and nothing is done */
	struct usmUser			*user;		/* ours; NULL until the engine is known */
	bool				 clocked;
	int				 list;		/* of the library's engines; where this one belongs */
	struct snmp_engine_clock	 clock;
};

/* Sets what v3 needs in the template of a session. It holds keys then: wipe it. `keys` starts NULL-ed and is the caller's to free.
 * NULL: well; else why not, static; "": out of memory. */
const char	*snmp_usm_template(struct snmp_keys **keys, netsnmp_session *t, const struct conf_credential *c);
/* The library works for this peer from _use() to _park(), and for no other: its user and its engine are in the library's tables
 * only then. */
void		 snmp_usm_use(struct snmp_usm *u);
void		 snmp_usm_park(struct snmp_usm *u);
/* After a datagram that named another engine than the peer's, or none: the library remembers each name it reads, true or not. */
void		 snmp_usm_sweep(void);
/* With the engine known: the user with its localised keys, if there is none yet. false: the library refuses. */
bool		 snmp_usm_user(struct snmp_usm *u);
bool		 snmp_usm_has_engine(const struct snmp_usm *u);
bool		 snmp_usm_is_engine(const struct snmp_usm *u, const uint8_t *id, size_t n);	/* false: NULL, or none known */
/* Engine and user. The next question has to begin with their discovery. */
void		 snmp_usm_forget(struct snmp_usm *u);
#endif
