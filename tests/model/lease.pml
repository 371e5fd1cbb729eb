/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases of B-channels between two clients, the control daemon and one line host, for spin to search exhaustively.
 *
 * What is modelled
 *   Host     the only arbiter of its channels: reserves, opens, releases, assigns; obeys the highest epoch that has
 *            attached; ends detached leases by itself; proves a channel free before anybody gets it again; dies with
 *            all its leases and comes back with a greater start number.
 *   Daemon   passes requests on and does not wait for the answers; releases what a dead client leaves, unless it is
 *            detached or being handed over; dies at any point. The next one, of a greater epoch, loads the host's
 *            snapshot, in which every lease is an orphan until somebody reclaims it.
 *   Client   reserves, detached or not; opens; releases; hands over; takes what it was given; shows tokens that have
 *            ended; dies; sees the daemon's death and reclaims what it believes to have.
 * A connection is a queue: what was sent before a death may still be acted upon or read, or be lost. Two daemons have
 * two connections, so an old one's commands may come late. Time is choice: a deadline passes at any moment, but for the
 * one of reclaiming, which no live client misses (30 s against a round trip).
 *
 * What is claimed
 *   at most one lease a channel; no token twice                          take
 *   a stale token never acts                                             act
 *   nobody opens a channel while a lessee of an earlier lease holds it   act_open
 *   a live client's lease ends by that client, at its own time, or with the host; and goes to another only if given
 *                                                                        end_lease, act_assign, Client
 *   no channel is leaked for ever                                        no_leak
 * Each of BROKEN_1 to BROKEN_8 takes one guard away, and spin must find what follows from it (test_lease_model.py).
 */

#ifndef CHANNELS
#define CHANNELS 1
#endif
#ifndef REQUESTS
#define REQUESTS 3 /* of one client in one run */
#endif
#ifndef DAEMON_DEATHS
#define DAEMON_DEATHS 1
#endif
#ifndef CLIENT_DEATHS
#define CLIENT_DEATHS 1
#endif
#ifndef HOST_DEATHS
#define HOST_DEATHS 0
#endif
#define TOKENS 3 /* reservations in one run */
#define NOBODY 2

mtype = { RESERVE, DETACHED, OPEN, RELEASE, ASSIGN, GIVE, EXPIRED, OK, NO };

chan ask[2] = [1] of { mtype, byte };                   /* what, token */
chan reply[2] = [1] of { mtype, byte };                 /* OK or NO, token */
chan command[2] = [4] of { byte, mtype, byte, byte };   /* epoch, what, token, client; one queue a daemon */
chan answer = [6] of { mtype, byte, byte, mtype };      /* what, token, client, OK or NO */
#define ours command[epoch & 1]
#define room nfull(command[epoch & 1])

/* The host. */
byte lease[CHANNELS];
bool releasing[CHANNELS];
byte place[TOKENS + 1];
bool detached[TOKENS + 1];
byte controller;        /* the highest epoch that has attached */
byte tokens;            /* given so far: start number and counter in one */

/* The daemon; all but the epoch is lost with it. */
byte epoch;
bool up, attached;
bool known[TOKENS + 1];
byte holder[TOKENS + 1];        /* whose connection the lease ends with */
bool given[TOKENS + 1];         /* another connection may take it */
bool taking[TOKENS + 1];        /* somebody's reclaim is under way */
bool unclaimed[TOKENS + 1];     /* an orphan since this daemon came */
bool gone[2], pending[2];       /* the client's end was seen; its request is at the host */

/* The clients. */
bool alive[2] = true;
byte mine[2];           /* the token it believes to have */
byte held[2];           /* the lease whose descriptor it holds */
bool leaving[2];        /* it has asked for the end */
byte settled[2];        /* the epoch under which it has reclaimed all that it believes to have */
byte letter;            /* a token that was written down, or given to the other client */

/* Only for the claims. */
bool ended[TOKENS + 1], gift[TOKENS + 1];
byte owner[TOKENS + 1];
bool used[TOKENS + 1];
byte daemon_deaths, client_deaths, host_deaths;

#define believes(c, t) (alive[c] && mine[c] == t && owner[t] == c && !leaving[c])
#define current(t) (lease[place[t]] == t)
#ifdef BROKEN_2 /* the host looks at the channel and not at the token */
#define names_a_lease(t) (lease[place[t]] != 0)
#else
#define names_a_lease(t) current(t)
#endif

inline tell(c, how, t) {
    if
    :: c != NOBODY && alive[c] -> reply[c]!how,t
    :: else
    fi
}

inline take(ch, t, how) {
    assert(lease[ch] == 0);
    assert(!used[t]);
    used[t] = true;
    lease[ch] = t;
    place[t] = ch;
    detached[t] = (how == DETACHED)
}

inline end_lease(t) {
    lease[place[t]] = 0;
    releasing[place[t]] = true;
    ended[t] = true
}

inline act(t) {
    assert(!ended[t])
}

inline act_open(t, c) {
    act(t);
    assert(held[1 - c] == 0 || held[1 - c] == t || place[held[1 - c]] != place[t]);
    if
    :: alive[c] -> held[c] = t
    :: else
    fi
}

inline act_release(t) {
    act(t);
    assert(!believes(0, t) && !believes(1, t));
    end_lease(t)
}

inline act_assign(t, c) {
    act(t);
    assert(!believes(1 - c, t) || gift[t])
}

inline reserve(what) {
    ch = 0;
    do
    :: ch < CHANNELS && (releasing[ch]
#ifndef BROKEN_1 /* a leased channel is leased again */
        || lease[ch] != 0
#endif
        ) -> ch++
    :: else -> break
    od;
    if
    :: ch == CHANNELS || tokens == TOKENS -> how = NO
    :: else -> tokens++; t = tokens; take(ch, t, what); how = OK
    fi
}

inline obey(what, c) {
    if
#ifndef BROKEN_3 /* an old daemon is obeyed */
    :: e != controller -> skip
#endif
    :: else ->
        if
        :: what == RESERVE || what == DETACHED -> reserve(what)
        :: else ->
            if
            :: !names_a_lease(t) -> how = NO
            :: else ->
                how = OK;
                if
                :: what == OPEN -> act_open(t, c)
                :: what == RELEASE -> act_release(t)
                :: what == ASSIGN -> act_assign(t, c)
                fi
            fi
        fi;
        if
        :: up && e == epoch -> answer!what,t,c,how
        :: else
        fi
    fi;
    e = 0; t = 0; c = 0; ch = 0; what = 0; how = 0
}

active proctype Host()
{
    byte t, c, e, ch;
    mtype what, how;
end:
    do
    :: atomic { nfull(answer) && nempty(command[0]) -> command[0]?e,what,t,c; obey(what, c) }
    :: atomic { nfull(answer) && nempty(command[1]) -> command[1]?e,what,t,c; obey(what, c) }
    od
}

#define held_by(c, ch) (held[c] != 0 && place[held[c]] == ch && held[c] != lease[ch])
#ifdef BROKEN_4 /* a channel is leased again while its last lessee holds it */
#define proved(ch) true
#else
#define proved(ch) (!held_by(0, ch) && !held_by(1, ch))
#endif

active proctype Prove()
{
end:
    do
    :: atomic { releasing[0] && proved(0) -> releasing[0] = false }
#if CHANNELS > 1
    :: atomic { releasing[1] && proved(1) -> releasing[1] = false }
#endif
    od
}

#define expires(t) atomic { t <= tokens && current(t) && detached[t] && nfull(answer) -> \
    end_lease(t); \
    if :: up && attached -> answer!EXPIRED,t,NOBODY,OK :: else fi }

active proctype HostTime()
{
    byte t, e, c;
    mtype what;
end:
    do
    :: expires(1)
    :: expires(2)
    :: expires(3)
    :: atomic { host_deaths < HOST_DEATHS && attached ->
        host_deaths++;
        do
        :: command[0]?e,what,t,c
        :: command[1]?e,what,t,c
        :: empty(command[0]) && empty(command[1]) -> break
        od;
        t = 1;
        do
        :: t <= TOKENS ->
            if
            :: current(t) -> end_lease(t)
            :: else
            fi;
            t++
        :: else -> break
        od;
#ifdef BROKEN_5 /* the start number was not durable */
        tokens = 0;
#endif
        attached = false; controller = 0; t = 0; e = 0; c = 0; what = 0 }
    od
}

inline forget(t) {
    known[t] = false; given[t] = false; taking[t] = false; unclaimed[t] = false; holder[t] = NOBODY
}

inline attach() {
    attached = true; controller = epoch;
    t = 1;
    do
    :: t <= TOKENS ->
        forget(t);
        if
        :: current(t) -> known[t] = true; unclaimed[t] = !detached[t]
        :: else
        fi;
        t++
    :: else -> break
    od;
    c = 0;
    do
    :: c < 2 ->
        if
        :: pending[c] -> pending[c] = false; tell(c, NO, 0)
        :: else
        fi;
        c++
    :: else -> break
    od;
    t = 0; c = 0
}

/* A client's request. */
inline pass(c) {
    if
    :: what == GIVE && known[t] && holder[t] == c -> given[t] = true; tell(c, OK, t)
    :: what == GIVE && !(known[t] && holder[t] == c) -> tell(c, NO, t)
    :: (what == OPEN || what == RELEASE) && !known[t] -> tell(c, NO, t)
    :: what == ASSIGN && (!known[t] || taking[t] || !(holder[t] == NOBODY || holder[t] == c || given[t])) -> tell(c, NO, t)
    :: else ->
        if
        :: what == ASSIGN -> taking[t] = true
        :: else
        fi;
        pending[c] = true; ours!epoch,what,t,c
    fi;
    t = 0; what = 0
}

inline belongs(c) {
    known[t] = true; taking[t] = false;
    if
    :: !gone[c] ->
        holder[t] = c; owner[t] = c; given[t] = false;
#ifndef BROKEN_7 /* what was reclaimed is cleared with the orphans */
        unclaimed[t] = false;
#endif
        tell(c, OK, t)
#ifndef BROKEN_6 /* nobody looks whether the client has died meanwhile */
    :: gone[c] && what != ASSIGN && !detached[t] -> ours!epoch,RELEASE,t,NOBODY
    :: gone[c] && (what == ASSIGN || detached[t]) -> skip /* whose it was, or its deadline's */
#else
    :: gone[c] -> skip
#endif
    fi
}

/* The host's answer. */
inline answered() {
    if
    :: !attached -> skip /* its requests are answered on attaching anew */
    :: else ->
        if
        :: c != NOBODY -> pending[c] = false
        :: else
        fi;
        if
        :: what == EXPIRED -> forget(t)
        :: what == RELEASE -> forget(t); tell(c, how, t)
        :: what == OPEN -> tell(c, how, t)
        :: what == ASSIGN && how == NO -> taking[t] = false; tell(c, NO, t)
        :: (what == RESERVE || what == DETACHED) && how == NO -> tell(c, NO, t)
        :: (what == RESERVE || what == DETACHED || what == ASSIGN) && how == OK -> belongs(c)
        fi
    fi;
    t = 0; c = 0; what = 0; how = 0
}

/* The client's connection has closed. */
inline leave(c) {
    gone[c] = true;
    t = 1;
    do
    :: t <= TOKENS ->
        if
        :: known[t] && holder[t] == c ->
            holder[t] = NOBODY;
            if
            :: !detached[t] && !given[t] -> ours!epoch,RELEASE,t,NOBODY
            :: else
            fi
        :: else
        fi;
        t++
    :: else -> break
    od;
    t = 0
}

#ifdef BROKEN_8 /* a deadline overtakes the reclaim that is under way */
#define wanted(t) false
#else
#define wanted(t) taking[t]
#endif
#define reclaimed(c) (!alive[c] || settled[c] == epoch)
#define clear(t) atomic { up && attached && room && unclaimed[t] && reclaimed(0) && reclaimed(1) && !wanted(t) -> \
    unclaimed[t] = false; ours!epoch,RELEASE,t,NOBODY }
#define gift_ends(t) atomic { up && attached && room && given[t] && !wanted(t) -> \
    given[t] = false; \
    if :: holder[t] == NOBODY && !detached[t] -> ours!epoch,RELEASE,t,NOBODY :: else fi }

active proctype Daemon()
{
    byte t, c;
    mtype what, how;
end:
    do
    :: atomic { !up && empty(command[(epoch + 1) & 1]) -> epoch++; up = true }
    :: atomic { up && !attached && empty(answer) -> attach() } /* what the lost host had sent was read first */
    :: atomic { up && attached && room && !pending[0] && empty(reply[0]) && nempty(ask[0]) -> ask[0]?what,t; pass(0) }
    :: atomic { up && attached && room && !pending[1] && empty(reply[1]) && nempty(ask[1]) -> ask[1]?what,t; pass(1) }
    :: atomic { up && room && nempty(answer) -> answer?what,t,c,how; answered() }
    :: atomic { up && attached && room && !alive[0] && !gone[0] && empty(ask[0]) -> leave(0) }
    :: atomic { up && attached && room && !alive[1] && !gone[1] && empty(ask[1]) -> leave(1) }
    :: clear(1)
    :: clear(2)
    :: clear(3)
    :: gift_ends(1)
    :: gift_ends(2)
    :: gift_ends(3)
    :: atomic { up && daemon_deaths < DAEMON_DEATHS ->
        daemon_deaths++;
        up = false; attached = false;
        do
        :: ask[0]?what,t
        :: ask[1]?what,t
        :: answer?what,t,c,how
        :: empty(ask[0]) && empty(ask[1]) && empty(answer) -> break
        od;
        t = 1;
        do
        :: t <= TOKENS -> forget(t); t++
        :: else -> break
        od;
        gone[0] = false; gone[1] = false; pending[0] = false; pending[1] = false;
        t = 0; c = 0; what = 0; how = 0 }
    od
}

#define asks(what, t) want = what; ask[me]!what,t; requests++

inline lose() {
    assert(mine[me] == 0 || ended[mine[me]] || owner[mine[me]] != me || gift[mine[me]]);
    if
    :: mine[me] != 0 && ended[mine[me]] -> old = mine[me]
    :: else
    fi;
    mine[me] = 0; held[me] = 0; leaving[me] = false
}

proctype Client(byte me)
{
    byte t, old, requests, conn;
    mtype how, want;
end:
    do
    :: atomic { alive[me] && up && conn == epoch && want == 0 && requests < REQUESTS ->
        if
        :: mine[me] == 0 -> asks(RESERVE, 0)
        :: mine[me] == 0 -> asks(DETACHED, 0)
        :: mine[me] == 0 && letter != 0 -> asks(ASSIGN, letter)
        :: mine[me] != 0 -> asks(OPEN, mine[me])
        :: mine[me] != 0 && !gift[mine[me]] -> leaving[me] = true; asks(RELEASE, mine[me])
        :: mine[me] != 0 -> gift[mine[me]] = true; asks(GIVE, mine[me])
        :: old != 0 -> asks(OPEN, old)
        :: old != 0 -> asks(RELEASE, old)
        fi }
    :: atomic { alive[me] && nempty(reply[me]) -> reply[me]?how,t;
        if
        :: want == RESERVE || want == DETACHED || want == ASSIGN ->
            if
            :: how == OK -> mine[me] = t; leaving[me] = false
            :: how == NO -> lose()
            fi;
            settled[me] = conn
        :: want == GIVE && how == OK -> letter = t
        :: want == RELEASE && how == OK -> mine[me] = 0; held[me] = 0; leaving[me] = false; old = t
        :: (want == OPEN || want == RELEASE) && how == NO && (t == 0 || t == mine[me]) -> lose()
        :: else
        fi;
        t = 0; how = 0; want = 0 }
    :: atomic { alive[me] && up && conn != epoch && empty(reply[me]) ->
        conn = epoch; want = 0;
        if
        :: mine[me] != 0 -> want = ASSIGN; ask[me]!ASSIGN,mine[me]
        :: else -> settled[me] = conn
        fi }
    :: atomic { alive[me] && mine[me] != 0 && want == 0 && (ended[mine[me]] || owner[mine[me]] != me) -> lose() }
    :: atomic { alive[me] && client_deaths < CLIENT_DEATHS ->
        client_deaths++;
        if
        :: mine[me] != 0 && letter == 0 -> letter = mine[me] /* written down for its successor */
        :: true
        fi;
        alive[me] = false; held[me] = 0; mine[me] = 0; leaving[me] = false; settled[me] = 0;
        old = 0; want = 0; conn = 0; requests = 0;
        if
        :: reply[me]?how,t -> how = 0; t = 0
        :: empty(reply[me])
        fi;
        break }
    od
}

init { atomic { holder[1] = NOBODY; holder[2] = NOBODY; holder[3] = NOBODY; run Client(0); run Client(1) } }

/* A channel is leaked while it is kept from everybody and nobody alive has it. */
#define leaked(ch) ((lease[ch] != 0 || releasing[ch]) && !(alive[0] && mine[0] == lease[ch] && mine[0] != 0) \
                    && !(alive[1] && mine[1] == lease[ch] && mine[1] != 0))
#if CHANNELS > 1
ltl no_leak { [] <> !leaked(0) && [] <> !leaked(1) }
#else
ltl no_leak { [] <> !leaked(0) }
#endif
