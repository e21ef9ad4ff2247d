/* agent/poller/snmp_usm.h: the user-based security of SNMPv3 (RFC 3414, 3826, 7860) towards engines that we ask: questions signed and
 * encrypted, answers checked and decrypted. No network; the clock comes in as an argument. */
#ifndef CAMTRAPD_SNMP_USM_H
#define CAMTRAPD_SNMP_USM_H
#include "base/clock.h"
#include "config/conf.h"
#include "poller/snmp_message.h"

/* One per process: passwords made keys, once for all who have the same, and the algorithms, looked for once. */
struct snmp_usm;
struct snmp_usm	*snmp_usm_new(void);		/* NULL: out of memory, or no random numbers to be had */
void		 snmp_usm_free(struct snmp_usm *u);	/* after its engines; NULL is fine */

/* The engine of one switch as one credential knows it: its ID, its clock, the keys localised for it. Two switches may well have one
 * engine ID (a cloned configuration, a pair with one address) and yet differ in all else. */
struct snmp_engine;
/* Borrows both. NULL: the credential is refused, with why (static), or out of memory, with "". */
struct snmp_engine *snmp_engine_new(struct snmp_usm *u, const struct conf_credential *c, const char **why);
void		 snmp_engine_free(struct snmp_engine *e);	/* its keys are wiped, and passwords nobody else has; NULL is fine */
/* Borrows `c` instead of the credential so far, of which it is a copy. */
void		 snmp_engine_rebind(struct snmp_engine *e, const struct conf_credential *c);
/* ID and keys: the next question has to be one of discovery. The clock is kept for when the same engine is found. */
void		 snmp_engine_forget(struct snmp_engine *e);
bool		 snmp_engine_is_known(const struct snmp_engine *e);
bool		 snmp_engine_signs(const struct snmp_engine *e);	/* the credential's level has authentication */
/* Taken from the answer to a question of discovery (RFC 3414 section 4), of which nothing is authentic: the ID unless one is known,
 * and the clock that questions bear until an authentic message tells it, unless one did and it is later. An ID of no octets is none.
 * true: it is another engine than the one that gave the last answer, which was not said before. */
bool		 snmp_engine_found(struct snmp_engine *e, const struct message_security *m, struct mono now);

/* In hexadecimal, of the engine that gave the last answer, and of the one that was found. */
enum { ENGINE_TEXT = 2 * ENGINE_ID_MAX + 1 };
void		 snmp_engine_names(const struct snmp_engine *e, char was[static ENGINE_TEXT], char is[static ENGINE_TEXT]);

/* As message_write(); `context` may be NULL. Of an engine that is not known it is a question of discovery whatever `q` asks: of
 * nobody, for nothing. NULL also: out of memory. */
uint8_t		*snmp_engine_write(struct snmp_engine *e, const struct message_question *q, const char *context, struct mono now, uint8_t *buf,
		    size_t size);

enum snmp_heard {
	HEARD_NOTHING,			/* not what was asked for, or not from whom, or not authentic, or not in time */
	HEARD_RESPONSE,			/* to this question, from this engine and user, with the security asked for */
	HEARD_REPORT,			/* of which nothing is authentic */
	HEARD_REPORT_AUTHENTIC,		/* signed by this engine; the clock is set by it */
	HEARD_UNREAD,			/* out of memory */
};
/* What a datagram is to a question of `context`; l: as message_look() saw it, msgID is that of the question. The PDU is read into *l;
 * it may be decrypted in place. */
enum snmp_heard	 snmp_engine_read(struct snmp_engine *e, uint8_t *datagram, size_t n, struct message_look *l, const char *context, struct mono now);

/* Which of usmStats (RFC 3414 section 5) a Report says. 0: none of them. */
enum usm_stats { USM_UNSUPPORTED_LEVELS = 1, USM_NOT_IN_TIME_WINDOWS, USM_UNKNOWN_USERS, USM_UNKNOWN_ENGINE_IDS, USM_WRONG_DIGESTS,
	USM_DECRYPTION_ERRORS };
uint32_t	 snmp_usm_report(const struct message_look *l);
#endif
