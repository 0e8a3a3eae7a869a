# What clients see while an issuer's keys cannot be fetched: each row of the manual, all at once.

use v5.36;

use lib 't/lib';

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Mesh::Credentials;
use Test::Mesh::ManualTable;
use Test::Mesh::Provider;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Wait;

my $MAX_STALE = 25;

my $table = Test::Mesh::ManualTable->under('When keys cannot be fetched');
my @rows = $table->names;
# The row that is no failure, and the issuer that has no fault.
my $slow = 'slow answer';
my $control = 'no fault';
# Found by discovery; the others' key sets are named, so that the fault is in the set itself.
my %by_discovery = map { $_ => 1 } $control, $slow, 'provider stopped', 'no answer', 'half an answer',
    'another CA', 'status 500', 'redirect', 'another issuer', 'keys without TLS';

# Where meshctl issuer check says more than the error log.
my %in_other_words = (
    'an empty set' => '0 of 0 keys are usable',
    'no usable key' => '0 of 1 keys are usable',
    'two keys of one name' => '0 of 4 keys are usable',
    'another issuer' => 'the configuration says "https://localhost',
);

my $provider = Test::Mesh::Provider->start;
$provider->tell('generate', old => 'ES256', new => 'ES256');
my %site = map { $_ => $provider->another('old') } @rows, $control;
my %name = map { $rows[$_] => "row$_" } 0 .. $#rows;
$name{$control} = 'control';

my $conf = join '', map { block_of($_) } sort keys %site;
$conf .= <<'CONF';
mesh_log_level info;
server {
    listen 127.0.0.1:%%PORT%%;
    location = /status { mesh_status; }
    location / {
        mesh_authenticate token;
        add_header Reason $mesh_reason always;
        empty_gif;
    }
}
CONF

sub block_of ($row) {
    my $url = $site{$row}->issuer;
    my $jwks = $by_discovery{$row} ? '' : "jwks $url/jwks;";
    return <<"END";
mesh_issuer $name{$row} {
    issuer $url;
    audience mesh;
    $jwks
    trusted_certificate %%KEYS%%/ca.pem;
    refresh 2s;
    min_refresh 1s;
    max_stale ${MAX_STALE}s;
}
END
}

my $server = Test::Mesh::Server->start($conf, workers => 2, name => 'the server with keys');
my %known = map { $_ => $site{$_}->token(alg => 'ES256') } keys %site;
my %new = map { $_ => $site{$_}->signed_by('new') } keys %site;
my $page;
until_all('keys at the start', $server, sub ($row) { polite_verdict($server, $known{$row}) eq '200' });

# From here on nobody gets good documents. They name a second key once each fault has been met: a fetch
# that began before the fault may still ask for the keys behind good metadata.
$site{$_}->requests for keys %site;
my $began = time;
$site{$_}->fault($_) for @rows;
until_all('the first fault', $server, sub ($row) {
    return $row eq $slow || $row eq $control || status_by_row($server)->{$row}{last_error};
});
$site{$_}->fault($_, publish => ['old', 'new']) for @rows;
$site{$control}->fault(undef, publish => ['old', 'new']);

# It has as long as the rest of this takes.
my $checking = begin_check($server->root . '/nginx.conf');

# What was seen of each row: the status before and after, the verdicts on both tokens.
my %seen;
my %fault;
until_all('503 in the end', $server, sub ($row) {
    my ($old, $new) = map { polite_verdict($server, $_->{$row}) } \%known, \%new;
    push $seen{$row}->@*, { before => $page->{$row}, old => $old, new => $new };
    return $row eq $slow || $row eq $control ? $new eq '200' : $old =~ /\A503/;
}, sub {
    $page = status_by_row($server);
    for my $row (keys %site) {
        $fault{$row} = $page->{$row}{last_error};
        $seen{$row}[-1]{after} = $page->{$row} if $seen{$row};
    }
});
my $lasted = time - $began;
my %requests = map { $_ => [$site{$_}->requests] } keys %site;

# One that starts now has no keys at all.
my $cold = Test::Mesh::Server->start($conf, workers => 2, name => 'the server without keys');
my %first = map { $_ => [polite_verdict($cold, $known{$_})] } @rows;
my %cold_fault;
until_all('a fault of a server without keys', $cold, sub ($row) {
    push $first{$row}->@*, polite_verdict($cold, $known{$row});
    return $row eq $slow || $row eq $control ? $first{$row}[-1] eq '200' : $cold_fault{$row};
}, sub {
    my $status = status_by_row($cold);
    $cold_fault{$_} //= $status->{$_}{last_error} for @rows;
});

my %checked = end_check($checking);

$_->fault(undef) for values %site;
for my $which ($server, $cold) {
    until_all('keys in the end', $which, sub ($row) {
        return polite_verdict($which, $known{$row}) eq '200' && polite_verdict($which, $new{$row}) eq '200';
    });
}

for my $row (@rows) {
    my ($word, $text) = ($table->code($row, '`last_error`'), $table->code($row, 'error log'));
    $table->row($row, sub {
        if ($row eq $slow) {
            is $table->cell($row, 'clients see'), 'nothing', 'the manual says that nothing is seen';
            is counted(map { $_->{old} } $seen{$row}->@*), '200', 'nothing is';
            is $fault{$row}, undef, 'it is no error';
            is $cold_fault{$row}, undef, '... at the start neither';
            is join(' ', errors($row)), '', '... nor does meshctl find one';
            is grep(/error/, told_of($server, $row)), 0, '... and none is told' or diag told_of($server, $row);
            return;
        }
        is $table->cell($row, 'clients see'), 'nothing, then 503', 'the manual says what is seen';
        is $table->cell($row, 'for how long'), 'from `max_stale` on', '... and when';
        my @old = map { $_->{old} } $seen{$row}->@*;
        is counted(@old), '200, 503 keys_unavailable', 'the last good keys count, and then do not';
        like counted(map { $_->{new} } $seen{$row}->@*), qr/\A401 unknown_key, 503 keys_unavailable\z/,
            'nothing was believed of what came';
        my @early = grep { $_->{old} ne '200' && $_->{after}{age} < $MAX_STALE } $seen{$row}->@*;
        is @early, 0, 'not before max_stale' or diag explain $early[0];
        my @late = grep { $_->{old} eq '200' && $_->{before}{age} > $MAX_STALE + 1 } $seen{$row}->@*;
        is @late, 0, 'and not long after' or diag explain $late[0];

        for my $error ($fault{$row}, $cold_fault{$row}) {
            is $error->{word}, $word, 'mesh_status has the word';
            like $error->{text}, qr/\Q$text\E/, '... and the cause';
        }
        my $found = $in_other_words{$row} // $text;
        like join(' ', errors($row)), qr/\Q$found\E/, 'meshctl issuer check finds the same';
        my $line = qr/\[error\].*\Q$text\E.* while fetching https:\S+ of mesh_issuer "\Q$name{$row}\E", (.*)/;
        my @told = $server->error_log =~ /$line/g;
        is "@told", 'the last good version stays in force', 'it is told once' or diag told_of($server, $row);
        @told = $cold->error_log =~ /$line/g;
        is "@told", 'it has no keys yet', '... and otherwise without keys' or diag told_of($cold, $row);
        is counted($first{$row}->@*), '503 keys_unavailable', 'a server without keys lets nothing through';
        # Messages are told about once a second.
        $_->await_log(qr/\[notice\].*mesh_issuer "\Q$name{$row}\E" is good again: /) for $server, $cold;
        pass 'and the end of it is told';

        my @requests = $requests{$row}->@*;
        is grep({ $_->{url} =~ /moved/ } @requests), 0, 'no redirect is followed';
        # A second each at the least, up to two requests a fetch.
        cmp_ok scalar @requests, '<=', 2 * ($lasted + 2), 'it is not asked too often';
        is grep({ $_->{headers}{'accept-encoding'} ne 'identity' } @requests), 0, 'no encoding is asked for';
    });
}
$table->is_shown;

subtest 'an issuer beside them all' => sub {
    is counted(map { $_->{old} } $seen{$control}->@*), '200', 'lost nothing';
    cmp_ok scalar $requests{$control}->@*, '>=', 5, 'was asked all the time';
    my @ages = map { $_->{after}{age} } $seen{$control}->@*;
    is grep({ $_ >= $MAX_STALE } @ages), 0, 'its keys are never old' or diag "@ages";
};

for my $which ($server, $cold) {
    my $status = status_by_row($which);
    is join(' ', grep { $status->{$_}{stale} } keys %site), '', 'nothing is stale when all are good again';
    my @last = grep { $status->{$_}{last_error} } keys %site;
    is join(' ', sort @last), join(' ', sort grep { $_ ne $slow } @rows), '... when the last fault is still shown';
    is join(' ', grep { $status->{$_}{last_error}{seconds_ago} < $status->{$_}{age} } @last), '',
        '... as older than the keys';
    $which->stop;
}
$provider->stop;
is $provider->stderr, '', 'the provider has nothing to complain of';
done_testing;

# The verdict on a token.
sub polite_verdict ($server, $token) {
    state %client;
    my $response;
    until ($response) {
        my $client = $client{$server} //= $server->connect;
        $response = $client->request('GET', '/', headers => [bearer_of($token)]);
        my $is_last = !$response || ($response->{headers}{connection} // '') eq 'close';
        delete($client{$server})->close if $is_last;
    }
    return verdict($response) if $response->{status} != 503;
    my $is_polite = ($response->{headers}{'retry-after'} // '') =~ /\A[1-9]\d*\z/;
    return verdict($response) . ($is_polite ? '' : ' without Retry-After');
}

# Begins to look at the issuers as `meshctl issuer check` does.
sub begin_check ($file) {
    open my $out, '-|', meshctl_path(), qw(issuer check --json), $file
        or die "meshctl: $!\n";
    return $out;
}

# What it found, by row.
sub end_check ($out) {
    my $found = JSON::PP::decode_json(do { local $/; <$out> });
    close $out;
    my %issuer = map { $_->{name} => $_ } $found->{issuers}->@*;
    return map { $_ => $issuer{ $name{$_} } } keys %name;
}

sub errors ($row) { return map { $_->{text} } grep { $_->{level} eq 'error' } $checked{$row}{findings}->@* }

# What mesh_status shows, by row.
sub status_by_row ($server) {
    my %issuer = map { $_->{name} => $_ } $server->mesh_status->{issuers}->@*;
    return { map { $_ => $issuer{ $name{$_} } } keys %name };
}

# Asks about each row in turn until all have said yes; before and after each turn comes `around`.
sub until_all ($what, $server, $is_done, $around = undef) {
    my %waiting = map { $_ => 1 } keys %site;
    my $deadline = time + $PATIENCE;
    while (1) {
        $around->() if $around;
        return if !%waiting;
        $is_done->($_) && delete $waiting{$_} for sort keys %site;
        die "no $what: " . join(', ', sort keys %waiting) . "\n" . $server->error_log if time > $deadline;
        sleep 0.5;
    }
}

# A list with repetitions left out.
sub counted (@values) {
    my @counted;
    for my $value (@values) {
        push @counted, $value if !@counted || $counted[-1] ne $value;
    }
    return join ', ', @counted;
}

sub told_of ($server, $row) { return $server->error_log =~ /.*mesh_issuer "\Q$name{$row}\E".*\n/g }
