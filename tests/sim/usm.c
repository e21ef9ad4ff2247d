/* tests/sim/usm.c: see usm.h. */
#include "usm.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

enum { EXPANDED = 1048576, WINDOW_S = 150 };

static const struct { const char *name, *md; size_t mac_octets; } auths[] = { { "SHA-1", "SHA1", 12 }, { "SHA", "SHA1", 12 },
	{ "SHA-224", "SHA224", 16 }, { "SHA-256", "SHA256", 24 }, { "SHA-384", "SHA384", 32 }, { "SHA-512", "SHA512", 48 } };

/* RFC 3414 A.2.2: the passphrase repeated to 1 MiB, hashed. */
static void
key_of_passphrase(const EVP_MD *md, const char *passphrase, uint8_t out[static USM_KEY_MAX])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t n = strlen(passphrase), at = 0;
	uint8_t block[64];

	EVP_DigestInit_ex(c, md, NULL);
	for (size_t done = 0; done < EXPANDED; done += sizeof block) {
		for (size_t i = 0; i < sizeof block; i++)
			block[i] = (uint8_t)passphrase[at++ % n];
		EVP_DigestUpdate(c, block, sizeof block);
	}
	EVP_DigestFinal_ex(c, out, NULL);
	EVP_MD_CTX_free(c);
}

bool
usm_user_make(struct usm_user *u, const char *name, const char *auth, const char *auth_secret, const char *priv, const char *priv_secret)
{
	*u = (struct usm_user){ 0 };
	snprintf(u->name, sizeof u->name, "%s", name);
	for (size_t i = 0; i < sizeof auths / sizeof *auths; i++)
		if (strcmp(auth, auths[i].name) == 0) {
			u->md = EVP_get_digestbyname(auths[i].md);
			u->mac_octets = auths[i].mac_octets;
		}
	if (u->md == NULL || auth_secret[0] == '\0')
		return false;
	if (strcmp(priv, "AES-128") == 0)
		u->cipher = EVP_aes_128_cfb128();
	else if (strcmp(priv, "AES-256") == 0 && EVP_MD_get_size(u->md) >= 32)
		u->cipher = EVP_aes_256_cfb128();
	else if (strcmp(priv, "none") != 0)
		return false;
	key_of_passphrase(u->md, auth_secret, u->auth_ku);
	if (u->cipher != NULL && priv_secret[0] != '\0')
		key_of_passphrase(u->md, priv_secret, u->priv_ku);
	return u->cipher == NULL || priv_secret[0] != '\0';
}

/* RFC 3414 A.2: the key of this engine alone. */
static void
localize(const struct usm_user *u, const struct usm_engine *e, const uint8_t *ku, uint8_t *out)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t n = (size_t)EVP_MD_get_size(u->md);

	EVP_DigestInit_ex(c, u->md, NULL);
	EVP_DigestUpdate(c, ku, n);
	EVP_DigestUpdate(c, e->id, ENGINE_ID);
	EVP_DigestUpdate(c, ku, n);
	EVP_DigestFinal_ex(c, out, NULL);
	EVP_MD_CTX_free(c);
}

static void
engine_key(const struct usm_user *u, struct usm_engine *e)
{
	if (e->keyed)
		return;
	localize(u, e, u->auth_ku, e->auth);
	localize(u, e, u->priv_ku, e->priv);
	e->keyed = true;
}

static void
cipher(const struct usm_user *u, const struct usm_engine *e, uint32_t boots, uint32_t time, const uint8_t *salt, int encrypt, uint8_t *data,
    size_t n)
{
	static EVP_CIPHER_CTX *c;
	uint8_t iv[16];
	int done;

	for (int i = 0; i < 4; i++) {
		iv[i] = (uint8_t)(boots >> 8 * (3 - i));
		iv[4 + i] = (uint8_t)(time >> 8 * (3 - i));
	}
	memcpy(iv + 8, salt, 8);
	if (c == NULL)
		c = EVP_CIPHER_CTX_new();
	EVP_CipherInit_ex(c, u->cipher, NULL, e->priv, iv, encrypt);
	EVP_CipherUpdate(c, data, &done, data, (int)n);
}

void
usm_sign(const struct usm_user *u, struct usm_engine *e, const uint8_t *whole, size_t n, uint8_t *mac)
{
	uint8_t full[EVP_MAX_MD_SIZE];
	unsigned len;

	engine_key(u, e);
	HMAC(u->md, e->auth, EVP_MD_get_size(u->md), whole, n, full, &len);
	memcpy(mac, full, u->mac_octets);
}

void
usm_encrypt(const struct usm_user *u, struct usm_engine *e, uint8_t *data, size_t n, uint8_t salt[static 8])
{
	engine_key(u, e);
	e->salt++;
	for (int i = 0; i < 8; i++)
		salt[i] = (uint8_t)(e->salt >> 8 * (7 - i));
	cipher(u, e, e->boots, e->time, salt, 1, data, n);
}

static bool
signed_well(const struct usm_user *u, struct usm_engine *e, struct usm_message *m)
{
	uint8_t got[EVP_MAX_MD_SIZE], want[EVP_MAX_MD_SIZE];

	if (m->n_mac != u->mac_octets)
		return false;
	memcpy(got, m->mac, m->n_mac);
	memset(m->mac, 0, m->n_mac);
	usm_sign(u, e, m->whole, m->n_whole, want);
	memcpy(m->mac, got, m->n_mac);
	return CRYPTO_memcmp(got, want, m->n_mac) == 0;
}

enum usm_result
usm_check(const struct usm_user *u, struct usm_engine *e, struct usm_message *m, uint8_t *data, size_t n_data)
{
	int64_t skew;

	if (m->n_engine != ENGINE_ID || memcmp(m->engine, e->id, ENGINE_ID) != 0)
		return USM_ENGINE;
	if (m->n_name != strlen(u->name) || memcmp(m->name, u->name, m->n_name) != 0)
		return USM_USER;
	if ((m->flags & 3) != (u->cipher != NULL ? 3 : 1))
		return USM_LEVEL;
	if (!signed_well(u, e, m))
		return USM_DIGEST;
	skew = m->time - (int64_t)e->time;
	if (m->boots != e->boots || skew > WINDOW_S || skew < -WINDOW_S)
		return USM_WINDOW;
	if (u->cipher == NULL)
		return USM_OK;
	if (m->n_salt != 8)
		return USM_DECRYPT;
	cipher(u, e, (uint32_t)m->boots, (uint32_t)m->time, m->salt, 0, data, n_data);
	return USM_OK;
}
