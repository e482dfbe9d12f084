/*
 * test/unit/server/test_sandbox.c - server/sandbox: what can still be done in
 * it, and what cannot. Each deed is done by a process of its own.
 */
#include "test/unit/server/temporary.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/landlock.h>

#include "server/sandbox_own.h"

enum {
	NOT_WHOLE = 250, /* statuses of a child beside an errno */
	ODD = 251,
	ENDED = 1000,  /* by a system call, which is added */
	KILLED = 2000, /* by a signal, which is added */
};

static struct config config;
static struct config_listener listener;

/* As server/serve_steps.c finds it: `top` is the folder of all. */
static void configure(void)
{
	config = (struct config) {
		.path = strdup(in(top, "etc/dockpass.yaml", "")),
		.store = strdup(in(top, "store", "")),
		.keys = keys,
		.public = public,
		.listeners = &listener,
		.log.file = strdup(in(top, "log/dockpass.log", "")),
		.sandbox = true,
	};
	assert_int_equal(mkdir(in(top, "etc", ""), 0700), 0);
	assert_int_equal(mkdir(in(top, "store", ""), 0700), 0);
	assert_int_equal(mkdir(in(top, "log", ""), 0700), 0);
	assert_int_equal(mkdir(in(top, "other", ""), 0700), 0);
	assert_int_equal(mkdir(public, 0700), 0);
	write_text(config.path, 0644, "x");
	write_text(in(keys, "a.pem", ""), 0600, "x");
	write_text(in(top, "store/data.mdb", ""), 0600, "x");
	write_text(in(top, "other/x", ""), 0600, "x");
	listener = (struct config_listener) { 0 };
}

static void forget(void)
{
	free((void *)(uintptr_t)config.path);
	free((void *)(uintptr_t)config.store);
	free((void *)(uintptr_t)config.log.file);
}

static int try_open(const char *path, int flags)
{
	AUTO(fd) int fd = open(path, flags, 0600);

	return fd < 0 ? errno : 0;
}

/* Deeds: 0, or the errno. */
static int read_config(void)
{
	return try_open(config.path, O_RDONLY);
}

static int read_key(void)
{
	return try_open(in(keys, "a.pem", ""), O_RDONLY) ||
	       try_open(keys, O_RDONLY | O_DIRECTORY);
}

static int write_key(void)
{
	return try_open(in(keys, "a.pem", ""), O_WRONLY);
}

static int make_key(void)
{
	return try_open(in(keys, "b.pem", ""), O_WRONLY | O_CREAT);
}

static int write_config(void)
{
	return try_open(config.path, O_WRONLY);
}

static int write_public(void)
{
	return try_open(in(public, "bundle.pem", ""), O_WRONLY | O_CREAT);
}

static int read_store(void)
{
	return try_open(in(top, "store/data.mdb", ""), O_RDONLY);
}

static int make_log(void)
{
	return try_open(config.log.file, O_WRONLY | O_CREAT | O_APPEND);
}

static int read_log(void)
{
	return make_log() ? ODD : try_open(config.log.file, O_RDONLY);
}

static int read_elsewhere(void)
{
	return try_open(in(top, "other/x", ""), O_RDONLY);
}

static int read_users(void)
{
	return try_open("/etc/passwd", O_RDONLY);
}

static int read_memory(void)
{
	return try_open("/proc/self/mem", O_RDWR);
}

static int read_library(void)
{
	return try_open("/usr/bin/env", O_RDONLY);
}

static void *on_thread(void *arg)
{
	return arg;
}

static int make_thread(void)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, on_thread, NULL);

	return error ? error : pthread_join(thread, NULL);
}

static int find_address(void)
{
	const struct addrinfo hints = { .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found;

	if (getaddrinfo("127.0.0.1", "25", &hints, &found))
		return ODD;
	freeaddrinfo(found);
	return 0;
}

static int try_socket(int family, int type, int protocol)
{
	AUTO(fd) int fd = socket(family, type, protocol);

	return fd < 0 ? errno : 0;
}

static int make_socket(void)
{
	return try_socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int make_netlink(void)
{
	return try_socket(AF_NETLINK, SOCK_RAW, 0);
}

static int make_raw(void)
{
	return try_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int make_packet(void)
{
	return try_socket(AF_PACKET, SOCK_RAW, 0);
}

static int make_sequence(void)
{
	return try_socket(AF_UNIX, SOCK_SEQPACKET, 0);
}

static int type_at_terminal(void)
{
	return ioctl(STDERR_FILENO, TIOCSTI, "x") ? errno : 0;
}

static int run_program(void)
{
	char *const args[] = { (char[]) { "true" }, NULL };

	execv("/usr/bin/true", args);
	return errno;
}

static int make_process(void)
{
	return fork() < 0 ? errno : 0;
}

/* As posix_spawn() makes one, or a thread that is none of ours. */
static int make_by(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | CLONE_VFORK | SIGCHLD, NULL, NULL,
			   NULL, 0L);

	if (!pid)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int make_borrower(void)
{
	return make_by(CLONE_VM);
}

static int make_sharer(void)
{
	return make_by(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND);
}

static int trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) ? errno : 0;
}

static int become_root(void)
{
	return setresuid(0, 0, 0) ? errno : 0;
}

static pid_t parent; /* getppid() says nothing in it */

static int send_signal(void)
{
	return kill(parent, 0) ? errno : 0;
}

/* A socket whose other end writes: `signal` comes to whom F_SETOWN names. */
static int fcntl_owner(void)
{
	return fcntl(STDIN_FILENO, F_SETOWN, parent) ? errno : 0;
}

static int fcntl_signal(void)
{
	return fcntl(STDIN_FILENO, F_SETSIG, SIGUSR1) ? errno : 0;
}

static int fcntl_async(void)
{
	return fcntl(STDIN_FILENO, F_SETFL, O_ASYNC | O_NONBLOCK) ? errno : 0;
}

static int fcntl_needed(void)
{
	AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM, 0);
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ||
	       fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_GETFD) < 0;
}

static int take_port(void)
{
	const struct sockaddr_in at = { .sin_family = AF_INET };
	AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM, 0);

	return bind(fd, (const struct sockaddr *)&at, sizeof(at)) ? errno : 0;
}

static int write_and_execute(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		       ? errno
		       : 0;
}

static int execute_later(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(at, 4096, PROT_READ | PROT_EXEC) ? errno : 0;
}

static int remove_log(void)
{
	return unlink(config.log.file) ? errno : 0;
}

static int leave_namespace(void)
{
	return unshare(CLONE_NEWUSER) ? errno : 0;
}

static int raise_limit(void)
{
	const struct rlimit most = { 1024, 1024 };

	return setrlimit(RLIMIT_CORE, &most) ? errno : 0;
}

static int hide_program(void)
{
	return memfd_create("x", 0) < 0 ? errno : 0;
}

static int take_signal(void)
{
	return signal(SIGTERM, SIG_IGN) == SIG_ERR ? errno : 0;
}

static int forgive(void)
{
	const struct sigaction action = { .sa_handler = SIG_IGN };

	return sigaction(SIGSYS, &action, NULL) ? errno : 0;
}

static int listen_unbound(void)
{
	AUTO(fd) int fd = socket(AF_INET, SOCK_STREAM, 0);

	return listen(fd, 1) ? errno : 0;
}

static int change_mode(void)
{
	return chmod(in(keys, "a.pem", ""), 0777) ? errno : 0;
}

static int change_times(void)
{
	return utimensat(AT_FDCWD, in(keys, "a.pem", ""), NULL, 0) ? errno : 0;
}

static int truncate_key(void)
{
	return truncate(in(keys, "a.pem", ""), 0) ? errno : 0;
}

static int use_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL) < 0 ? errno : 0;
}

static int use_userfault(void)
{
	return syscall(SYS_userfaultfd, 0) < 0 ? errno : 0;
}

static int read_process(void)
{
	return syscall(SYS_process_vm_readv, parent, NULL, 0, NULL, 0, 0) < 0
		       ? errno
		       : 0;
}

static int run_at(void)
{
	return syscall(SYS_execveat, -1, "/usr/bin/true", NULL, NULL, 0) < 0
		       ? errno
		       : 0;
}

static int read_environment(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)parent);
	return try_open(path, O_RDONLY);
}

static int limits_of_others(void)
{
	const struct rlimit none = { 0, 0 };

	return prlimit(parent, RLIMIT_NOFILE, &none, NULL) ? errno : 0;
}

static const struct {
	const char *what;
	int (*deed)(void);
	int want;
} rows[] = {
	{ "reads its configuration", read_config, 0 },
	{ "reads and lists its keys", read_key, 0 },
	{ "writes no key", write_key, EACCES },
	{ "makes no key", make_key, EACCES },
	{ "writes no configuration", write_config, EACCES },
	{ "writes nothing that registries read", write_public, EACCES },
	{ "does not open the store again", read_store, EACCES },
	{ "makes its log after a rotation", make_log, 0 },
	{ "reads no log", read_log, EACCES },
	{ "sees nothing beside", read_elsewhere, EACCES },
	{ "does not know the users", read_users, EACCES },
	{ "has no way to its memory", read_memory, EACCES },
	{ "loads modules of names", read_library, 0 },
	{ "makes threads", make_thread, 0 },
	{ "finds addresses", find_address, 0 },
	{ "connects", make_socket, 0 },
	{ "netlink is not there", make_netlink, EAFNOSUPPORT },
	{ "leaves signals as they are", take_signal, EPERM },
	{ "no raw socket", make_raw, ENDED + SYS_socket },
	{ "none of packets", make_packet, EAFNOSUPPORT },
	{ "nor of any other kind", make_sequence, ENDED + SYS_socket },
	{ "types at no terminal", type_at_terminal, ENDED + SYS_ioctl },
	{ "runs no program", run_program, ENDED + SYS_execve },
	{ "makes no process", make_process, ENDED + SYS_clone },
	{ "not in memory of its own", make_borrower, ENDED + SYS_clone },
	{ "nor with all that threads share", make_sharer, ENDED + SYS_clone },
	{ "traces nobody", trace, ENDED + SYS_ptrace },
	{ "stays who it is", become_root, ENDED + SYS_setresuid },
	{ "sends no signal", send_signal, ENDED + SYS_kill },
	{ "nor by a descriptor's owner", fcntl_owner, ENDED + SYS_fcntl },
	{ "nor another than SIGIO", fcntl_signal, ENDED + SYS_fcntl },
	{ "nor when something comes", fcntl_async, ENDED + SYS_fcntl },
	{ "descriptors that do not block", fcntl_needed, 0 },
	{ "listens nowhere", take_port, ENDED + SYS_bind },
	{ "listens unbound", listen_unbound, ENDED + SYS_listen },
	{ "changes no mode", change_mode, ENDED + SYS_chmod },
	{ "changes no times", change_times, ENDED + SYS_utimensat },
	{ "cuts nothing short", truncate_key, ENDED + SYS_truncate },
	{ "no io_uring", use_uring, ENDED + SYS_io_uring_setup },
	{ "no page faults of its own", use_userfault, ENDED + SYS_userfaultfd },
	{ "reads no other memory", read_process, ENDED + SYS_process_vm_readv },
	{ "runs no program by its file", run_at, ENDED + SYS_execveat },
	{ "reads no environment of others", read_environment, EACCES },
	{ "sets no limit of others", limits_of_others, ENDED + SYS_prlimit64 },
	{ "nothing both written and executed", write_and_execute,
	  ENDED + SYS_mmap },
	{ "nor one after the other", execute_later, ENDED + SYS_mprotect },
	{ "removes nothing", remove_log, EPERM },
	{ "has no other namespace", leave_namespace, ENDED + SYS_unshare },
	{ "raises no limit", raise_limit, ENDED + SYS_prlimit64 },
	{ "no file without a name", hide_program, ENDED + SYS_memfd_create },
	{ "does not take back the end", forgive, ENDED + SYS_rt_sigaction },
};

/* Done in the child before it is in the sandbox; NULL: nothing. */
static void (*before)(void);
static bool files_alone; /* no seccomp */

static void enter(struct sandbox *said)
{
	if (files_alone)
		said->whole = files_restrict(&config, said->text);
	else
		sandbox_enter(&config, said);
}

/* In a child: a sandbox is for good. Its words come by `words`. */
static int run_child(int (*deed)(void), int words)
{
	struct sandbox said;

	dup2(words, STDERR_FILENO);
	if (before)
		before();
	enter(&said);
	if (said.whole && strstr(said.text, "off"))
		said.whole = false;
	if (said.whole)
		return deed();
	(void)!write(words, said.text, strlen(said.text));
	return NOT_WHOLE;
}

/* What became of it, as in the table. */
static int done(int (*deed)(void), char *words, size_t size)
{
	static const char forbidden[] = "makes system call ";
	int ends[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	parent = getpid();
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(run_child(deed, ends[1]));
	close(ends[1]);
	while ((n = read(ends[0], words + len, size - 1 - len)) > 0)
		len += (size_t)n;
	words[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return KILLED + WTERMSIG(status);
	assert_true(WIFEXITED(status));
	status = WEXITSTATUS(status);
	if (status == 1 && strstr(words, forbidden)) {
		const char *at =
			strstr(words, forbidden) + sizeof(forbidden) - 1;

		return ENDED + (int)strtol(at, NULL, 10);
	}
	return status;
}

static bool kernel_can(void)
{
	return !access("/proc/sys/kernel/seccomp/actions_avail", F_OK) &&
	       syscall(SYS_landlock_create_ruleset, NULL, 0,
		       LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

/* True if this kernel, or this build, has no whole sandbox: then it says so. */
static bool skipped(int status, const char *words)
{
	if (status != NOT_WHOLE)
		return false;
	print_message("skipped: sandbox: %s\n", words);
	if (kernel_can() && !strstr(words, "off, as this is a sanitizer's"))
		fail_msg("this kernel has it");
	return true;
}

static void what_can_be_done_in_it(void **state)
{
	char words[512];

	(void)state;
	configure();
	for (size_t i = 0; i < COUNT(rows); i++) {
		int got = done(rows[i].deed, words, sizeof(words));

		if (skipped(got, words))
			break;
		print_message("%s\n", rows[i].what);
		assert_int_equal(got, rows[i].want);
		assert_true(strlen(words) == 0 ||
			    words[strlen(words) - 1] == '\n');
	}
	forget();
}

static const int nobodys[] = {
	SYS_add_key,
	SYS_bpf,
	SYS_chroot,
	SYS_copy_file_range,
	SYS_execveat,
	SYS_fchmod,
	SYS_fchmodat,
	SYS_fchown,
	SYS_fchownat,
	SYS_finit_module,
	SYS_io_uring_setup,
	SYS_keyctl,
	SYS_linkat,
	SYS_listen,
	SYS_mkdirat,
	SYS_mknodat,
	SYS_mount,
	SYS_open_by_handle_at,
	SYS_perf_event_open,
	SYS_personality,
	SYS_pidfd_getfd,
	SYS_pidfd_send_signal,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_renameat2,
	SYS_rt_sigqueueinfo,
	SYS_seccomp,
	SYS_setgid,
	SYS_setgroups,
	SYS_setns,
	SYS_setuid,
	SYS_shmget,
	SYS_symlinkat,
	SYS_tkill,
	SYS_truncate,
	SYS_umount2,
	SYS_userfaultfd,
	SYS_utimensat,
#ifdef __x86_64__
	SYS_chmod,
	SYS_chown,
	SYS_link,
	SYS_mkdir,
	SYS_mknod,
	SYS_rename,
	SYS_symlink,
	SYS_vfork,
#endif
};
static int call; /* one of them */

static int make_call(void)
{
	return syscall(call, -1, 0, 0, 0, 0) < 0 ? errno : 0;
}

static void what_no_thread_does_ends_it(void **state)
{
	char words[512];

	(void)state;
	configure();
	for (size_t i = 0; i < COUNT(nobodys); i++) {
		int got;

		call = nobodys[i];
		got = done(make_call, words, sizeof(words));
		if (skipped(got, words))
			break;
		print_message("%d\n", call);
		assert_int_equal(got, ENDED + call);
	}
	forget();
}

static int signal_a_thread(void)
{
	return syscall(SYS_tgkill, parent, parent, 0) ? errno : 0;
}

static int signal_itself(void)
{
	return syscall(SYS_tgkill, getpid(), gettid(), 0) ? errno : 0;
}

/* By tgkill(), which abort() needs. */
static void a_signal_for_itself_alone(void **state)
{
	char words[512];
	int got;

	(void)state;
	configure();
	got = done(signal_a_thread, words, sizeof(words));
	if (!skipped(got, words)) {
		assert_int_equal(got, ENDED + SYS_tgkill);
		assert_int_equal(done(signal_itself, words, sizeof(words)), 0);
	}
	forget();
}

#ifdef __x86_64__
enum { OF_X32 = 0x40000000, GETPID_OF_386 = 20 };

/* Their numbers are other calls: what is allowed here is not, there. */
static int call_as_386(void)
{
	long got;

	__asm__ volatile("int $0x80"
			 : "=a"(got)
			 : "a"((long)GETPID_OF_386)
			 : "memory");
	return got == getpid() ? 0 : ODD;
}

static int call_as_x32(void)
{
	return syscall(OF_X32 | SYS_getpid) < 0 ? errno : 0;
}

static void no_calls_of_another_architecture(void **state)
{
	char words[512];
	int got;

	(void)state;
	configure();
	got = done(call_as_x32, words, sizeof(words));
	if (!skipped(got, words)) {
		assert_int_equal(got, KILLED + SIGSYS);
		got = done(call_as_386, words, sizeof(words));
		/* Unless the kernel has none of them anyway. */
		assert_true(got == KILLED + SIGSYS || got == KILLED + SIGSEGV);
	}
	forget();
}
#endif

static int gate[2]; /* opens to the thread */

static void *call_later(void *arg)
{
	char c;

	(void)!read(gate[0], &c, 1);
	syscall(SYS_personality, 0xffffffff);
	return arg;
}

static void begin_thread(void)
{
	pthread_t thread;

	if (pipe(gate) || pthread_create(&thread, NULL, call_later, NULL))
		_exit(ODD);
}

static int open_gate(void)
{
	(void)!write(gate[1], "", 1);
	poll(NULL, 0, 5000); /* it ends all before */
	return 0;
}

/* A library's, say. */
static void a_thread_from_before_is_in_it(void **state)
{
	char words[512];
	int got;

	(void)state;
	configure();
	before = begin_thread;
	got = done(open_gate, words, sizeof(words));
	before = NULL;
	if (!skipped(got, words))
		assert_int_equal(got, ENDED + SYS_personality);
	forget();
}

static int cut_key(void)
{
	return try_open(in(keys, "a.pem", ""), O_RDONLY | O_TRUNC);
}

static const struct sockaddr_un abstract = { AF_UNIX, "\0dockpass-test" };

static int connect_to_others(void)
{
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return connect(fd, (const void *)&abstract, sizeof(abstract)) ? errno
								      : 0;
}

/* Where there is no seccomp; `abi`: of the kernel that can do it. */
static const struct {
	const char *what;
	int (*deed)(void);
	int want, abi;
} by_files[] = {
	{ "reads its configuration", read_config, 0, 1 },
	{ "writes no key", write_key, EACCES, 1 },
	{ "makes no key", make_key, EACCES, 1 },
	{ "sees nothing beside", read_elsewhere, EACCES, 1 },
	{ "cuts no key", cut_key, EACCES, 3 },
	{ "listens nowhere", take_port, EACCES, 4 },
	{ "sends no signal", send_signal, EPERM, 6 },
	{ "connects to no abstract socket", connect_to_others, EPERM, 6 },
};

static void files_alone_hold_something(void **state)
{
	AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);
	char words[512];

	(void)state;
	configure();
	assert_int_equal(bind(fd, (const void *)&abstract, sizeof(abstract)),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	files_alone = true;
	for (size_t i = 0; i < COUNT(by_files); i++) {
		int got;

		if (by_files[i].abi > abi)
			continue;
		print_message("%s\n", by_files[i].what);
		got = done(by_files[i].deed, words, sizeof(words));
		if (skipped(got, words))
			break;
		assert_int_equal(got, by_files[i].want);
	}
	files_alone = false;
	forget();
}

/* Of the root, in which all is, the file alone. */
static void a_file_of_the_root(void **state)
{
	char words[512];
	int got;

	(void)state;
	configure();
	config.hook.ca = "/etc"; /* as good as a file */
	got = done(read_users, words, sizeof(words));
	if (!skipped(got, words)) {
		assert_int_equal(got, 0);
		assert_int_equal(done(read_elsewhere, words, sizeof(words)),
				 EACCES);
	}
	forget();
}

/* Whom something is sent to has to be found. */
static void names_are_for_who_sends(void **state)
{
	char words[512];
	int got;

	(void)state;
	configure();
	config.mail.url = "smtp://localhost";
	got = done(read_users, words, sizeof(words));
	if (!skipped(got, words))
		assert_int_equal(got, 0);
	forget();
}

/* certbot: live/a.pem is a link to archive/a1.pem, and then to a2.pem. */
static int renew(void)
{
	return try_open(listener.tls.own.certificate, O_RDONLY) ||
	       try_open(in(top, "archive/a2.pem", ""), O_RDONLY) ||
	       try_open(in(top, "other/x", ""), O_RDONLY) != EACCES;
}

static void a_link_is_followed_by_its_next_end(void **state)
{
	char words[512], live[128];
	int got;

	(void)state;
	configure();
	snprintf(live, sizeof(live), "%s/live/a.pem", top);
	listener.tls.own.certificate = live;
	config.listeners_count = 1;
	assert_int_equal(mkdir(in(top, "live", ""), 0700), 0);
	assert_int_equal(mkdir(in(top, "archive", ""), 0700), 0);
	write_text(in(top, "archive/a1.pem", ""), 0600, "x");
	write_text(in(top, "archive/a2.pem", ""), 0600, "x");
	assert_int_equal(symlink("../archive/a1.pem", live), 0);
	got = done(renew, words, sizeof(words));
	if (!skipped(got, words))
		assert_int_equal(got, 0);
	forget();
}

/* What a reload brings: 1 + the row of the first that is not as it should. */
static int change_configuration(void)
{
	const struct config start = config;
	struct config_listener other = { .tls.own.certificate =
						 in(top, "other/x", "") };
	const char *const hidden[] = { NULL,
				       other.tls.own.certificate,
				       "/etc/resolv",
				       in(top, "other/x", ""),
				       in(top, "etc/x", ""),
				       NULL,
				       in(top, "etcetera/ca.pem", "") };
	const bool fine[] = { true, false, false, false, false, true, false };

	for (size_t i = 0; i < COUNT(fine); i++) {
		struct cause said = { "" };

		config = start;
		switch (i) {
		case 1:
			config.listeners = &other;
			config.listeners_count = 1;
			break;
		case 2:
			config.hook.url = "http://h";
			break;
		case 3: /* what may be read may not be written */
		case 4:
			config.log.file = hidden[i];
			break;
		case 5:
			config.hook.ca = in(top, "etc/ca.pem", "");
			break;
		case 6: /* which only begins as one that may be read */
			config.hook.ca = hidden[i];
			break;
		}
		if (sandbox_check(&config, &said) !=
		    (fine[i] ? E_OK : E_REFUSED))
			return 1 + (int)i;
		if (!fine[i] && (!strstr(said.text, hidden[i]) ||
				 !strstr(said.text, ": restart dockpass")))
			return 1 + (int)i;
	}
	return 0;
}

static void another_configuration(void **state)
{
	char words[512];
	int got;

	(void)state;
	configure();
	assert_int_equal(mkdir(in(top, "etcetera", ""), 0700), 0);
	got = done(change_configuration, words, sizeof(words));
	if (!skipped(got, words))
		assert_int_equal(got, 0);
	forget();
}

static int tell_why(void)
{
	struct cause said = { "" };

	if (sandbox_hides(config.path, false, &said) || *said.text)
		return 1;
	if (!sandbox_hides(in(top, "other/x", ""), false, &said))
		return 2;
	return strstr(said.text, "/other/x: the sandbox of the running ") ? 0
									  : 3;
}

static void why_a_file_cannot_be_opened(void **state)
{
	char words[512];
	struct cause said;
	int got;

	(void)state;
	configure();
	/* Without a sandbox nothing is hidden by it. */
	assert_false(sandbox_hides(in(top, "other/x", ""), false, &said));
	config.hook.url = "http://h";
	assert_int_equal(sandbox_check(&config, &said), E_OK);
	got = done(tell_why, words, sizeof(words));
	if (!skipped(got, words))
		assert_int_equal(got, 0);
	forget();
}

static void switched_off(void **state)
{
	struct sandbox said;

	(void)state;
	configure();
	config.sandbox = false;
	sandbox_enter(&config, &said);
	assert_true(said.whole);
	assert_string_equal(said.text, "off, as dockpass.yaml says");
	assert_int_equal(read_elsewhere(), 0);
	forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_can_be_done_in_it),
		TEST(what_no_thread_does_ends_it),
		TEST(a_signal_for_itself_alone),
#ifdef __x86_64__
		TEST(no_calls_of_another_architecture),
#endif
		TEST(a_thread_from_before_is_in_it),
		TEST(files_alone_hold_something),
		TEST(a_file_of_the_root),
		TEST(names_are_for_who_sends),
		TEST(a_link_is_followed_by_its_next_end),
		TEST(another_configuration),
		TEST(why_a_file_cannot_be_opened),
		TEST(switched_off),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
