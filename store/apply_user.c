/* store/apply_user.c - what changes of users do. */
#include "store/apply.h"

#include <stdio.h>

#include "store/member.h"
#include "store/record.h"
#include "store/refresh.h"
#include "token/mail.h"

enum {
	PASSWORD_MAX = 512,
	SETTABLE = USER_ADMIN | USER_EXTERNAL | USER_BLOCKED | USER_TWO_FACTOR
};

enum err need_text(struct change *change, struct str text, size_t max,
		   const char *what)
{
	if (text.len > max)
		return cause_set(&change->cause, E_LIMIT,
				 "%s is longer than %zu bytes; shorten it",
				 what, max);
	if (!str_printable(text))
		return cause_set(&change->cause, E_SYNTAX,
				 "%s holds a control character, or is not "
				 "UTF-8; write one line of text",
				 what);
	return E_OK;
}

static enum err need_name(struct change *change)
{
	if (user_name_valid(change->user))
		return E_OK;
	return cause_set(&change->cause, E_SYNTAX,
			 "not a user name: letters, digits, \"_\", and inside "
			 "\".\" and \"-\", at most 255, no \".\" at the end");
}

enum err need_user(struct txn *txn, struct change *change, struct user *out)
{
	enum err err;

	*out = (struct user) { 0 };
	err = need_name(change);
	if (err)
		return err;
	err = user_find(txn, change->user, out);
	if (err == E_NOT_FOUND)
		return cause_set(&change->cause, err,
				 "user \"" STR_FMT
				 "\" does not exist; dockpass "
				 "user list shows all",
				 STR_ARG(change->user));
	return err;
}

static enum err no_bot(struct change *change, const struct user *user)
{
	if (!(user->flags & USER_BOT))
		return E_OK;
	return cause_set(&change->cause, E_REFUSED,
			 "user \"" STR_FMT "\" is the bot of a project or "
			 "group token; revoke the token instead",
			 STR_ARG(user->name));
}

enum err apply_user_add(struct txn *txn, struct change *change)
{
	struct user user;
	enum err err = need_name(change);

	if (!err)
		err = need_text(change, change->text, TEXT_MAX, "the e-mail");
	if (!err)
		err = need_text(change, change->value, PASSWORD_MAX,
				"the password's hash");
	if (err)
		return err;
	if (change->flags & ~(uint64_t)SETTABLE)
		return cause_set(&change->cause, E_REFUSED,
				 "a user cannot be made with these flags");
	err = user_find(txn, change->user, &user);
	if (!err)
		return cause_set(&change->cause, E_EXISTS,
				 "user \"" STR_FMT "\" exists already; choose "
				 "another name",
				 STR_ARG(user.name));
	if (err != E_NOT_FOUND)
		return err;
	user = (struct user) {
		.id = txn_next_id(txn, COUNTER_USER),
		.flags = (unsigned)change->flags,
		.created_at = change->now,
		.name = change->user,
		.email = change->text,
		.password = change->value,
	};
	user_put(txn, &user);
	change->new_id = user.id;
	return E_OK;
}

enum err apply_user_remove(struct txn *txn, struct change *change)
{
	struct token_ids ids;
	struct user user;
	enum err err = need_user(txn, change, &user);

	if (!err)
		err = no_bot(change, &user);
	if (err)
		return err;
	tokens_active(txn, change, user.id, &ids);
	if (ids.n && !change->yes)
		return refuse_tokens(change, "user", user.name, "owns", &ids);
	/* First him: his name points into the store. */
	user_remove(txn, &user);
	tokens_kill(txn, user.id, change->now);
	member_remove_user(txn, user.id);
	return E_OK;
}

enum err apply_user_flag(struct txn *txn, struct change *change)
{
	unsigned flag = (unsigned)change->flags;
	struct user user;
	enum err err = need_user(txn, change, &user);

	if (err)
		return err;
	if (flag != change->flags || !flag || (flag & (flag - 1)) ||
	    !(flag & SETTABLE) || change->on > 1)
		return cause_set(&change->cause, E_SYNTAX,
				 "one flag of a user is set or cleared");
	if (flag != USER_BLOCKED) {
		err = no_bot(change, &user);
		if (err)
			return err;
	}
	user.flags = change->on ? user.flags | flag : user.flags & ~flag;
	user_put(txn, &user);
	return E_OK;
}

enum err apply_user_password(struct txn *txn, struct change *change)
{
	struct user user;
	enum err err = need_user(txn, change, &user);

	if (!err)
		err = no_bot(change, &user);
	if (!err)
		err = need_text(change, change->value, PASSWORD_MAX,
				"the password's hash");
	if (err)
		return err;
	user.password = change->value;
	user_put(txn, &user);
	return E_OK;
}

enum err apply_user_email(struct txn *txn, struct change *change)
{
	struct user user;
	enum err err = need_user(txn, change, &user);

	if (!err)
		err = no_bot(change, &user);
	if (!err)
		err = need_text(change, change->text, TEXT_MAX, "the e-mail");
	if (err)
		return err;
	if (!mail_address_valid(change->text))
		return cause_set(&change->cause, E_SYNTAX,
				 "no e-mail address that mail can be sent to; "
				 "write it as alice@example.com");
	user.email = change->text;
	user_put(txn, &user);
	return E_OK;
}
