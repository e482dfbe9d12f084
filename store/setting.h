/*
 * store/setting.h - what administrators change while the server runs.
 * Table "setting": name -> text. What is not there has its default.
 */
#pragma once

#include "store/db.h"

struct settings {
	bool enforce_token_expiry; /* default true: a dead token is dead */
};

/* Unless E_OK, *out has the strictest values. */
enum err settings_read(struct txn *txn, struct settings *out) MUST_CHECK;
