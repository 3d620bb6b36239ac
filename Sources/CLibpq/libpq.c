// libpq, loaded when it is first needed. The program links with none of it: libpq brings some twenty libraries along
// (Kerberos, LDAP, GnuTLS), which cost a command as much time as everything else of its start, and most commands never
// connect anywhere.

#include "CLibpq.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS(F)                                                                                                   \
    F(int, PQbackendPID, (const PGconn *c), (c))                                                                       \
    F(int, PQcancel, (PGcancel * c, char *buffer, int size), (c, buffer, size))                                        \
    F(void, PQclear, (PGresult * r), (r))                                                                              \
    F(PQconninfoOption *, PQconndefaults, (void), ())                                                                  \
    F(PostgresPollingStatusType, PQconnectPoll, (PGconn * c), (c))                                                     \
    F(PGconn *, PQconnectStartParams, (const char *const *keywords, const char *const *values, int expand),            \
      (keywords, values, expand))                                                                                      \
    F(int, PQconnectionNeedsPassword, (const PGconn *c), (c))                                                          \
    F(void, PQconninfoFree, (PQconninfoOption * options), (options))                                                   \
    F(PQconninfoOption *, PQconninfoParse, (const char *text, char **complaint), (text, complaint))                    \
    F(int, PQconsumeInput, (PGconn * c), (c))                                                                          \
    F(char *, PQdb, (const PGconn *c), (c))                                                                            \
    F(char *, PQerrorMessage, (const PGconn *c), (c))                                                                  \
    F(void, PQfinish, (PGconn * c), (c))                                                                               \
    F(int, PQflush, (PGconn * c), (c))                                                                                 \
    F(void, PQfreeCancel, (PGcancel * c), (c))                                                                         \
    F(void, PQfreemem, (void *p), (p))                                                                                 \
    F(PGcancel *, PQgetCancel, (PGconn * c), (c))                                                                      \
    F(int, PQgetCopyData, (PGconn * c, char **buffer, int async), (c, buffer, async))                                  \
    F(PGresult *, PQgetResult, (PGconn * c), (c))                                                                      \
    F(int, PQgetisnull, (const PGresult *r, int row, int column), (r, row, column))                                    \
    F(char *, PQgetvalue, (const PGresult *r, int row, int column), (r, row, column))                                  \
    F(char *, PQhost, (const PGconn *c), (c))                                                                          \
    F(char *, PQhostaddr, (const PGconn *c), (c))                                                                      \
    F(int, PQisBusy, (PGconn * c), (c))                                                                                \
    F(int, PQnfields, (const PGresult *r), (r))                                                                        \
    F(int, PQntuples, (const PGresult *r), (r))                                                                        \
    F(const char *, PQparameterStatus, (const PGconn *c, const char *name), (c, name))                                 \
    F(char *, PQport, (const PGconn *c), (c))                                                                          \
    F(int, PQputCopyData, (PGconn * c, const char *bytes, int count), (c, bytes, count))                               \
    F(int, PQputCopyEnd, (PGconn * c, const char *error), (c, error))                                                  \
    F(char *, PQresultErrorField, (const PGresult *r, int code), (r, code))                                            \
    F(char *, PQresultErrorMessage, (const PGresult *r), (r))                                                          \
    F(ExecStatusType, PQresultStatus, (const PGresult *r), (r))                                                        \
    F(int, PQsendQuery, (PGconn * c, const char *query), (c, query))                                                   \
    F(int, PQsendQueryParams,                                                                                          \
      (PGconn * c, const char *command, int count, const Oid *types, const char *const *values, const int *lengths,    \
       const int *formats, int format),                                                                                \
      (c, command, count, types, values, lengths, formats, format))                                                    \
    F(int, PQserverVersion, (const PGconn *c), (c))                                                                    \
    F(PGVerbosity, PQsetErrorVerbosity, (PGconn * c, PGVerbosity verbosity), (c, verbosity))                           \
    F(PQnoticeProcessor, PQsetNoticeProcessor, (PGconn * c, PQnoticeProcessor processor, void *argument),              \
      (c, processor, argument))                                                                                        \
    F(int, PQsetnonblocking, (PGconn * c, int argument), (c, argument))                                                \
    F(int, PQsocket, (const PGconn *c), (c))                                                                           \
    F(ConnStatusType, PQstatus, (const PGconn *c), (c))                                                                \
    F(PGTransactionStatusType, PQtransactionStatus, (const PGconn *c), (c))                                            \
    F(char *, PQuser, (const PGconn *c), (c))

#define CALL(result, name, parameters, arguments)                                                                      \
    static __typeof__(&name) loaded_##name;                                                                            \
    result name parameters { return loaded_##name arguments; }
FUNCTIONS(CALL)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *problem;

static int find(void *library, const char *name, void *pointer) {
    void *address = dlsym(library, name);
    memcpy(pointer, &address, sizeof address);
    return address != NULL;
}

static void load(void) {
    void *library = dlopen("libpq.so.5", RTLD_LAZY | RTLD_LOCAL);
    int found = library != NULL;
#define FIND(result, name, parameters, arguments) found = found && find(library, #name, &loaded_##name);
    FUNCTIONS(FIND)
    if (found) return;
    const char *reason = dlerror();
    char *kept = reason ? strdup(reason) : NULL;
    problem = kept ? kept : "it cannot be loaded";
}

const char *pgarchive_load_libpq(void) {
    pthread_once(&once, load);
    return problem;
}
