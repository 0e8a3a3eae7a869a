package Mesh::Bench::Cases;

# What is measured, on which location, and what it may cost.

use v5.36;

use Exporter qw(import);

our @EXPORT_OK = qw(cases locations);

# Of a case:
#   location, content  the path: /LOCATION/static/ answers by itself, /LOCATION/proxied/ asks an upstream
#   query              behind the path, with %d for the number of a key
#   tokens, count      a file of tokens, so many of them in turn
#   keys               so many keys in turn
#   unknown            the tokens are more than a worker keeps, so that none is ever known
#   proofs             the token is bound to a key, and every request has a proof of its own
#   fields             further header lines
#   tls, http2         instead of plain HTTP/1.1
#   status             what is answered, if it is not 200
#   spared             so many answers may be 200 in spite of that
#   base               the location of the same side that it is compared with (default: the same
#                      location of bare Nginx)
#   most               instructions over the base; more of them fail
#   goal               what it should cost one day: `instructions` and `micros` over the base, the
#                      `ratio` of the base's time to its own
#   row                of the table in the manual; cases of one row stand in one line
my %known = (tokens => 'known', count => 1);
my %keys = (query => '?key=%06d', keys => 100_000, base => 'token', content => 'static');
my %unknown = (location => 'token', content => 'static', count => 17_000, unknown => 1);

# Behind the path: a target of 80 bytes, as a client of Databricks sends it.
my $TABLE = 'api/2.1/unity-catalog/tables/main.sales.orders_by_region_and_day?include_delta=1';

# A longer line than a worker keeps: it is named anew each time.
my $LONG = "$TABLE&more=" . 'x' x 300;

my @BROWSER = (
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64)',
    'Accept: */*',
    'Accept-Encoding: gzip, deflate, br',
    'Accept-Language: en-US,en;q=0.5',
    'X-Request-Id: 4f2c1b9e-0d2f-4b58-8f11-3a4d7c9b1e20',
    'X-Forwarded-For: 10.1.2.3',
    'X-Forwarded-Proto: https',
    'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
);

my @CASES = (
    (map {
        { name => "off-$_", location => 'off', content => $_, %known, goal => { instructions => 400 },
            row => 'a location without the module, static / proxied' }
    } qw(static proxied)),
    (map {
        { name => "token-$_", location => 'token', content => $_, %known,
            row => 'known token, static / proxied' }
    } qw(static proxied)),
    { name => 'chain-static', location => 'chain', content => 'static', %known, most => 3500,
        goal => { ratio => 0.88, instructions => 2800 }, row => 'with claim, limit and export, static / proxied' },
    { name => 'chain-proxied', location => 'chain', content => 'proxied', %known, most => 4100,
        goal => { ratio => 0.93, instructions => 3400 }, row => 'with claim, limit and export, static / proxied' },
    { name => 'policy-static', location => 'policy', content => 'static', %known, query => $TABLE, most => 4100,
        row => 'with claim, limit, export, platform and 50 rules, static / proxied' },
    { name => 'policy-proxied', location => 'policy', content => 'proxied', %known, query => $TABLE, most => 4700,
        row => 'with claim, limit, export, platform and 50 rules, static / proxied' },
    { name => 'long-policy-static', location => 'policy', content => 'static', %known, query => $LONG,
        row => 'the same, a line that is not kept, static' },
    { name => 'chain-10k-static', location => 'chain', content => 'static', tokens => 'known',
        count => 10_000, goal => { ratio => 0.83 }, row => 'the same, 10,000 tokens in turn, static / proxied' },
    { name => 'chain-10k-proxied', location => 'chain', content => 'proxied', tokens => 'known',
        count => 10_000, goal => { ratio => 0.90 }, row => 'the same, 10,000 tokens in turn, static / proxied' },
    { name => 'headers-static', location => 'chain', content => 'static', %known,
        fields => \@BROWSER, row => 'the same, 10 header fields, static / proxied' },
    { name => 'headers-proxied', location => 'chain', content => 'proxied', %known,
        fields => \@BROWSER, most => 4750, row => 'the same, 10 header fields, static / proxied' },
    { name => 'private-proxied', location => 'private', content => 'proxied', %known,
        row => 'claim and limit, `mesh_export off`, proxied' },
    (map {
        { name => "forward-$_", location => 'forward', content => $_, %known,
            row => 'claim, limit and export, `mesh_forward_credential on`, static / proxied' }
    } qw(static proxied)),
    { name => 'http2', location => 'chain', content => 'static', %known, http2 => 1,
        row => 'claim, limit and export, HTTP/2' },
    { name => 'unknown-rs256', tokens => 'rs256', %unknown, goal => { micros => 16 },
        row => 'unknown RS256' },
    { name => 'unknown-es256', tokens => 'es256', %unknown, goal => { micros => 39 },
        row => 'unknown ES256' },
    { name => 'unknown-eddsa', tokens => 'eddsa', %unknown, goal => { micros => 29 },
        row => 'unknown EdDSA' },
    { name => 'dpop', location => 'dpop', content => 'static', tokens => 'bound', count => 1,
        proofs => 'proofs', row => 'known token with a DPoP proof (ES256)' },
    { name => 'certificate', location => 'certificate', content => 'static', tls => 1,
        goal => { micros => 0.15, instructions => 1900 }, row => 'certificate on a kept TLS connection' },
    { name => 'limit-service', location => 'limit-service', %keys, %known,
        row => 'one limit by service (base: a known token)' },
    { name => 'limit-variable', location => 'limit-variable', %keys, %known,
        goal => { micros => 0.15, instructions => 1000 },
        row => 'one limit by a variable, 100,000 keys (base: a known token)' },
    { name => 'limit-variable-10k', location => 'limit-variable', %keys, tokens => 'known',
        count => 10_000, row => 'the same, 10,000 tokens in turn (base: a known token)' },
    { name => 'refused-401', location => 'unauthorized', content => 'static', status => 401,
        row => 'refused: no token (base: `return 401`)' },
    { name => 'refused-429', location => 'limited', content => 'static', %known, status => 429, spared => 3,
        row => 'refused: limited (base: `return 429`)' },
);

# The named cases, or all; a name may be the beginning of one.
sub cases (@names) {
    my @chosen = grep {
        my $case = $_;
        !@names || grep { $case->{name} =~ /^\Q$_\E/ } @names;
    } @CASES;
    die 'no such case; there are: ', join(' ', map { $_->{name} } @CASES), "\n" unless @chosen;
    return @chosen;
}

# The locations that each side has.
sub locations () {
    my %locations = map { $_->{location} => 1 } @CASES;
    return sort keys %locations;
}

1;
