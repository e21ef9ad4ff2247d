/* tests/sim/usm.h: the user-based security model of SNMPv3 (RFC 3414, 3826, 7860), the agent's side, for one user. */
#ifndef CAMPUS_USM_H
#define CAMPUS_USM_H
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { USM_KEY_MAX = 64, ENGINE_ID = 11 };

struct usm_user {
	char		 name[33];
	const EVP_MD	*md;
	size_t		 mac_octets;	/* of the truncated HMAC */
	const EVP_CIPHER *cipher;	/* NULL: authNoPriv */
	uint8_t		 auth_ku[USM_KEY_MAX], priv_ku[USM_KEY_MAX];
};

/* An authoritative engine: one switch. */
struct usm_engine {
	uint8_t		 id[ENGINE_ID];
	uint32_t	 boots, time;	/* time: set by the caller before each message */
	bool		 keyed;
	uint8_t		 auth[USM_KEY_MAX], priv[USM_KEY_MAX];
	uint64_t	 salt;
};

/* auth: "SHA-1", "SHA-224" … "SHA-512"; priv: "AES-128", "AES-256" (needs SHA-256 or longer) or "none". false: not known, or does not fit. */
bool	usm_user_make(struct usm_user *u, const char *name, const char *auth, const char *auth_secret, const char *priv,
	    const char *priv_secret);

/* The fields of a message that this needs; pointers into it. */
struct usm_message {
	uint8_t		*whole;
	size_t		 n_whole;
	int64_t		 boots, time;
	const uint8_t	*engine, *name, *salt;
	uint8_t		*mac;
	size_t		 n_engine, n_name, n_salt, n_mac;
	uint8_t		 flags;		/* 1 auth, 2 priv, 4 reportable */
};

enum usm_result { USM_OK, USM_DISCARD, USM_LEVEL, USM_WINDOW, USM_USER, USM_ENGINE, USM_DIGEST, USM_DECRYPT };
/* Checks who sent it; decrypts `data` in place. Anything from USM_LEVEL on is the usmStats object that a Report names. */
enum usm_result usm_check(const struct usm_user *u, struct usm_engine *e, struct usm_message *m, uint8_t *data, size_t n_data);
/* Encrypts in place; `salt` gets the privacy parameters. */
void	usm_encrypt(const struct usm_user *u, struct usm_engine *e, uint8_t *data, size_t n, uint8_t salt[static 8]);
/* The HMAC of a message whose authentication parameters at `mac` are zero yet. */
void	usm_sign(const struct usm_user *u, struct usm_engine *e, const uint8_t *whole, size_t n, uint8_t *mac);
#endif
