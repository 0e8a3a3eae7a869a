package Test::Mesh::Gateway;

use v5.36;

use Encode qw(decode_utf8);
use Exporter qw(import);
use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More ();

use Test::Mesh::Credentials qw(bearer_of keys_dir meshctl_path project_dir token);
use Test::Mesh::File;
use Test::Mesh::Process qw(said_by);
use Test::Mesh::Python;
use Test::Mesh::Response qw(verdict);
use Test::Mesh::Server;
use Test::Mesh::Wait;

our @EXPORT = qw(odd_names);

my $JSON = JSON::PP->new->canonical->ascii->allow_nonref;

# What the gateway shows the platform instead of the caller's token.
my $CREDENTIAL = 'Bearer of-the-gateway';

# Starts an upstream that plays the platform, and an Nginx that decides by t/e2e/platform/PLATFORM.yaml in front of it.
sub start ($class, $platform, %options) {
    my $self = bless { platform => $platform, words => $options{words} // $platform, clients => [], cases => [],
        read => 0, seen => 0, number => 0 }, $class;
    $self->{root} = tempdir('gateway-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    $self->{records} = spew("$self->{root}/records", '');
    $self->{policy} = project_dir() . "/t/e2e/platform/$platform.yaml";
    $self->{upstream} = Test::Mesh::Python->start(['upstream.py', $platform, $self->{records}, keys_dir() . '/server']);
    $self->{server} = Test::Mesh::Server->start($self->conf(%options));
    return $self;
}

sub conf ($self, %options) {
    my $port = $self->{upstream}->ready->{https};
    my $more = $options{server} // '';
    # The fields that this configuration sets.
    $self->{sets} = join '|', 'of-none', $more =~ /proxy_set_header (\S+)/g;
    $more =~ s/%%UPSTREAM%%/localhost:$port/g;
    return <<"END" . ($options{http} // '') =~ s/%%UPSTREAM%%/localhost:$port/gr;
include %%KEYS%%/issuers.conf;
log_format asked escape=json '{"request":"\$request","status":\$status,"service":"\$mesh_service",'
    '"decision":"\$mesh_decision","rule":"\$mesh_rule","reason":"\$mesh_reason",'
    '"told":"\$mesh_operation \$mesh_action \$mesh_resource"}';
large_client_header_buffers 4 20k;
client_max_body_size 64m;
upstream platform {
    server 127.0.0.1:$port;
    keepalive 8;
}
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    access_log %%ROOT%%/logs/asked.log asked;
    mesh_authenticate token;
    mesh_platform $self->{words};
    mesh_policy $self->{policy};
    add_header Reason \$mesh_reason always;
    proxy_http_version 1.1;
    proxy_ssl_name localhost;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate %%KEYS%%/ca.pem;
    proxy_set_header Host localhost:$port;
    proxy_set_header Connection "";
    proxy_set_header Authorization "$CREDENTIAL";
$more
    location / {
        proxy_pass https://platform;
    }
}
END
}

# Names that somebody may read as another one, or as that of `other`, by what is odd about them.
sub odd_names ($name, $other) {
    return (
        'dot segments' => "$name/../$other",
        'escaped dot segments' => "$name%2F..%2F$other",
        'escaped dots' => "$name/%2e%2e/$other",
        'a slash that is escaped twice' => "$name%252F..%252F$other",
        'a slash' => "$name/x",
        'two slashes' => "$name//x",
        'a final slash' => "$name/",
        'a backslash' => "$name\\..\\$other",
        'a parameter' => "$name;x=1",
        'a query' => "$name?x=1",
        'a fragment' => "$name#x",
        'a percent sign' => "$name%",
        'an escape' => "$name%41",
        'a space behind it' => "$name ",
        'a space in front' => " $name",
        'a plus' => "$name+x",
        'a verb' => "$name:delete",
        'an asterisk' => '*',
        'a hyphen' => '-',
        'a dot' => '.',
        'two dots' => '..',
        'nothing' => '',
        'another case' => uc $name,
        'a NUL' => "$name\0x",
        'a tab' => "$name\tx",
        'an end of line' => "$name\r\nX-Y: z",
        'an umlaut' => "$name\xe4",
        'the Kelvin sign' => "$name\x{212a}",
        'a wide slash' => "$name\x{ff0f}..",
        'a picture' => "$name\x{1f600}",
        'a quote' => "${name}'x",
        'a comma' => "$name,$other",
        'an ampersand' => "$name&x=$other",
        'brackets' => "$name\[0]",
        'braces' => "$name\{x}",
        'an at sign' => "$name\@x",
    );
}

# A client of the platform, by its name in t/e2e/platform/clients.
sub client ($self, $name) {
    push $self->{clients}->@*, my $client = Test::Mesh::Python->start(['client.py', $name]);
    return $client;
}

# Where the platform is without the gateway, and the gateway.
sub upstream_url ($self) { return "https://localhost:" . $self->{upstream}->ready->{https} }
sub url ($self) { return "https://localhost:" . $self->{server}->port('tls') }

# Proves that a call works, and that the platform gets the same requests and the client the same answers as without the
# gateway. `with` holds arguments by name, `before` is run before each of both calls.
sub works ($self, $client, $service, $call, $name, %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::subtest($name => sub {
        my ($alone, $sent) = $self->called($client, $service, $call, $self->upstream_url, %options);
        my ($answer, $arrived, $asked) = $self->called($client, $service, $call, $self->url, %options);
        Test::More::ok($alone->{ok}, 'it works without the gateway') or Test::More::diag($JSON->encode($alone));
        Test::More::ok($answer->{ok}, 'it works through it') or Test::More::diag($JSON->encode($answer));
        Test::More::is($self->steady($answer->{value}), $self->steady($alone->{value}), 'the answers are the same');
        Test::More::unlike($JSON->encode($answer->{value}), qr/\Q@{[$self->upstream_url]}/, 'no answer leads past the gateway');
        $self->arrives($service, $sent, $arrived);
        Test::More::is(scalar(@$asked), scalar(@$sent), 'as many are asked for');
        $self->decided($service, $name, $arrived, $asked);
    });
}

# Proves that of a call with a name that is no name of the policy's, whatever becomes of it, nothing arrives but what the
# client sends without the gateway, and is allowed.
sub bears ($self, $client, $service, $call, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my (undef, $sent) = $self->called($client, $service, $call, $self->upstream_url);
    my (undef, $arrived, $asked) = $self->called($client, $service, $call, $self->url);
    my @allowed = grep { $_->{decision} eq 'allowed' } @$asked;
    $self->decided($service, $name, $arrived, \@allowed);
    my @refused = grep { $asked->[$_]{decision} eq 'refused' } 0 .. $#$asked;
    $self->decided($service, $name, [@$sent[@refused]], [@$asked[@refused]]);
    my @other = grep { $JSON->encode($self->comparable($arrived->[$_])) ne $JSON->encode($self->comparable($sent->[$_] // {})) }
        0 .. $#$arrived;
    return Test::More::ok(@allowed == @$arrived && !@other && @refused <= 1, $name)
        || Test::More::diag($JSON->encode({ sent => $sent, arrived => $arrived, asked => $asked }));
}

# Proves that a call is refused: the client raises `class` with a `text` that matches, or logs it (`log`), or gives back
# an `answer` that does, after that many requests have `passed` (0), and asks once; what it asks for afterwards is `then`.
sub refuses ($self, $client, $service, $call, $name, %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $passed = $options{passed} // 0;
    return Test::More::subtest($name => sub {
        my ($alone, $sent) = $self->called($client, $service, $call, $self->upstream_url, %options);
        Test::More::ok($alone->{ok}, 'it works without the gateway') or Test::More::diag($JSON->encode($alone));
        my ($answer, $arrived, $asked) = $self->called($client, $service, $call, $self->url, %options);
        if (my $expected = $options{answer}) {
            Test::More::like($JSON->encode($answer), $expected, 'the client gives back what it was answered');
        }
        else {
            Test::More::ok(!$answer->{ok}, 'it does not work through the gateway');
            Test::More::is($answer->{class}, $options{class}, 'the client raises its own class')
                or Test::More::diag($JSON->encode($answer));
        }
        for my $where (grep { $options{$_} } qw(text log)) {
            Test::More::like($answer->{$where}, $options{$where}, "... and its $where says why");
        }
        my @later = splice @$arrived, $passed;
        $self->arrives($service, [@$sent[0 .. $passed - 1]], $arrived);
        Test::More::is_deeply([map { "$_->{method} $_->{target}" } @later], $options{then} // [], 'nothing else arrives');
        my @refused = map { "$_->{status} $_->{reason}" } grep { $_->{decision} eq 'refused' } @$asked;
        Test::More::is_deeply(\@refused, [$options{verdict} // '403 policy_denied'], 'the client asks for it once');
        Test::More::is(scalar(@$asked), $passed + 1 + @later,
            '... and for nothing else') or Test::More::diag($JSON->encode($asked));
        $self->decided($service, $name, [@$sent[0 .. $passed], @later], $asked);
    });
}

# Proves that a request that is sent as it stands is refused, and that nothing of it arrives.
sub stops ($self, $service, $verdict, $name, $method, $target, %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $response = $self->send_it($service, $method, $target, %options);
    my @arrived = $self->arrived;
    my %request = (method => $method, target => $target, body => $options{body} // '');
    $request{headers} = [map { [split /: /, $_, 2] } ($options{headers} // [])->@*];
    # What Nginx refuses by itself is nobody's.
    my @asked = $self->asked;
    $self->decided($service, "stopped: $name", [\%request], \@asked) if @asked;
    return Test::More::ok(verdict($response) =~ /\A(?:$verdict)\z/ && !@arrived, "stopped: $name")
        || Test::More::diag(verdict($response) . "; arrived: " . $JSON->encode(\@arrived));
}

# Proves that a request that is sent as it stands arrives, and is allowed by the policy.
sub passes ($self, $service, $name, $method, $target, %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $response = $self->send_it($service, $method, $target, %options);
    my @arrived = $self->arrived;
    $self->decided($service, "passed: $name", \@arrived, [$self->asked]);
    return Test::More::ok($response->{status} < 300 && @arrived == 1 && $arrived[0]{target} eq $target, "passed: $name")
        || Test::More::diag(verdict($response) . "; arrived: " . $JSON->encode(\@arrived));
}

# One request over TLS, on a connection of its own.
sub send_it ($self, $service, $method, $target, %options) {
    my @fields = (bearer_of(token(subject => $service)), ($options{headers} // [])->@*);
    return $self->{server}->request($method, $target, %options, headers => \@fields, port => 'tls',
        tls => { ca => keys_dir() . '/ca.pem' });
}

# A call at an address: how it went, the requests that arrived, and what the gateway was asked.
sub called ($self, $client, $service, $call, $url, %options) {
    $options{before}->() if $options{before};
    $self->arrived;
    my ($function, @arguments) = @$call;
    # A probe is nobody's, and the gateway answers it.
    my $is_probe = sub ($request) { return !grep { lc $_->[0] eq 'authorization' } $request->{headers}->@* };
    my $answer = $client->ask({
        call => $function, args => \@arguments, kwargs => $options{with} // {}, url => $url,
        token => token(subject => $service),
    });
    return ($answer, [grep { !$is_probe->($_) } $self->arrived], [$self->asked]);
}

# The requests that the platform has received since the last call.
sub arrived ($self) {
    my $all = slurp($self->{records});
    my $new = substr $all, $self->{read};
    $self->{read} = length $all;
    return map { $JSON->decode($_) } split /\n/, $new;
}

# What the gateway has been asked by services since the last call, by its log.
sub asked ($self) {
    my $mark = '/mark-' . ++$self->{number};
    $self->{server}->get($mark);
    # The worker writes one line after another.
    my $new = '';
    wait_until('line of the mark', sub {
        $new = substr slurp($self->{server}->root . '/logs/asked.log'), $self->{seen};
        return $new =~ m{"GET \Q$mark\E [^\n]*\n};
    });
    $self->{seen} += length $new;
    return grep { $_->{service} ne '' } map { $JSON->decode($_) } split /\n/, $new;
}

# Proves that requests arrived as they are sent without the gateway, but for the credential and what the module exports.
sub arrives ($self, $service, $sent, $arrived) {
    Test::More::is(scalar(@$arrived), scalar(@$sent), 'as many requests arrive');
    for my $at (0 .. $#$arrived) {
        my ($is, $was) = ($arrived->[$at], $sent->[$at] // {});
        Test::More::is_deeply($self->comparable($is), $self->comparable($was), "the same arrives: $is->{method} $is->{target}");
        my %told = map { lc $_->[0] => $_->[1] } $is->{headers}->@*;
        Test::More::is($told{'x-mesh-service'}, $service, '... in the name of the service');
        Test::More::is($told{authorization}, $CREDENTIAL, '... by the gateway\'s credential');
    }
    return;
}

# Without the fields that the gateway is to change, and without what changes from one second to the next.
sub comparable ($self, $request) {
    my @fields = grep { !/\A(?:authorization|connection|x-mesh-[^:]*): / && !/\A(?:$self->{sets}): /i }
        map { lc($_->[0]) . ": $_->[1]" } ($request->{headers} // [])->@*;
    my $target = ($request->{target} // '') =~ s/(?<=expire_time=)[^&]*//r;
    my $body = ($request->{body} // '') =~ s/(?<="offset": )\d+/0/gr;
    return [$request->{method}, $target, [sort @fields], $body, $request->{body_base64}];
}

# A value as text, without offsets, which differ, and with one address for both platform and gateway.
sub steady ($self, $value) {
    my $text = $JSON->encode($value) =~ s/"offset":\d+/"offset":0/gr;
    my @ports = ($self->{upstream}->ready->{https}, values $self->{server}{port}->%*);
    my $any = join '|', @ports;
    return $text =~ s/(localhost|127\.0\.0\.1):(?:$any)\b/platform/gr;
}

# Remembers what the gateway has decided about requests.
sub decided ($self, $service, $name, $requests, $asked) {
    for my $at (0 .. $#$asked) {
        my $told = $asked->[$at];
        push $self->{cases}->@*, {
            %{ $requests->[$at] // {} }, name => $name, platform => $self->{words}, told => $told->{told},
            identity => { issuer => 'idp', service => $service }, decision => $told->{decision},
            map { $_ => $told->{$_} } grep { $told->{$_} ne '' } qw(rule reason),
        };
    }
    return;
}

# Proves that meshctl reads and decides all requests as the gateway did, that they touch every rule of the policy, and
# that the policy is without a fault; and stops everything.
sub stop ($self) {
    my $cases = spew("$self->{root}/cases", join '', map { $JSON->encode($_) . "\n" } $self->{cases}->@*);
    my $said;
    for (['check'], ['test', $cases], ['coverage', '--tests', $cases], ['explain', '--cases', $cases]) {
        my ($command, @arguments) = @$_;
        (my $status, $said) = said_by(meshctl_path(), 'policy', $command, $self->{policy}, @arguments);
        Test::More::is($status, 0, "meshctl policy $command") or Test::More::diag($said);
    }
    my @read = map { $JSON->decode($_) } split /\n/, decode_utf8($said);
    Test::More::is(scalar(@read), scalar $self->{cases}->@*, 'meshctl reads all requests');
    my @other = grep { !reads_as($read[$_], $self->{cases}[$_]) } 0 .. $#read;
    Test::More::is(scalar(@other), 0, '... as the gateway did')
        or Test::More::diag(map { $JSON->encode([$read[$_], $self->{cases}[$_]]) . "\n" } @other);
    $self->{server}->stop;
    $_->stop for $self->{clients}->@*, $self->{upstream};
    Test::More::is($self->{upstream}->stderr, '', 'the platform has nothing to complain of');
    return;
}

# Whether meshctl reads as the first of the resources the one that the gateway told, and of what it refused, as any.
sub reads_as ($read, $case) {
    # Variables are escaped.
    my ($operation, $resource) = split / /, decode_utf8($case->{told} =~ s/%([0-9A-F]{2})/chr hex $1/ger), 2;
    my @resources = ($read->{resources} // [])->@*;
    splice @resources, 1 if $case->{decision} eq 'allowed';
    # Of a body that is no good, nothing is read; who holds nothing of a kind is refused before the body is.
    return 1 if !@resources && $case->{decision} eq 'refused';
    return $read->{operation} eq $operation
        && grep { $_ eq $resource || $case->{decision} eq 'refused' && /\A\Q$resource\E/ && $resource =~ / \z/ } @resources;
}

1;

__END__

=head1 NAME

Test::Mesh::Gateway - clients of a platform, the module in front of it, and what arrives there

=head1 SYNOPSIS

    my $gateway = Test::Mesh::Gateway->start('dbt_cloud', words => 'dbt_cloud account=1');
    my $dbtc = $gateway->client('dbtc');

    $gateway->works($dbtc, 'scheduler', ['cloud.list_jobs', 1], 'jobs are listed');
    $gateway->refuses($dbtc, 'scheduler', ['cloud.get_run', 1, 9], 'a run that is denied', answer => qr/"code":403/);
    $gateway->refuses($sdk, 'etl', ['run_now', 7], 'a job of no role', passed => 1,
        class => 'databricks.sdk.errors.platform.PermissionDenied', text => qr/may not run/);

    my %odd = odd_names('7001', '9');
    $gateway->bears($dbtc, 'scheduler', ['cloud.get_run', 1, $odd{$_}], "a run: $_") for sort keys %odd;

    $gateway->passes('scheduler', 'a final slash', POST => '/api/v2/accounts/1/jobs/22/run/', headers => [...], body => '{}');
    $gateway->stops('scheduler', '400 \w+', 'two slashes', POST => '/api/v2/accounts/1/jobs//22/run/');
    $gateway->stop;

=head1 DESCRIPTION

The platform is F<t/e2e/platform/upstream.py>, which records requests; clients are F<t/e2e/platform/client.py>, and a
call is a function of the client or of its module in F<clients/>. The services of the policy
F<t/e2e/platform/PLATFORM.yaml> are the subjects of the issuer C<idp>. C<server> are lines for the server, C<http> for
what is beside it; C<%%UPSTREAM%%> in them is where the platform says that it is.

C<works> and C<refuses> call the platform without the gateway too: what arrives through it is compared with what the
client sends without it. C<stop> has meshctl read and decide all requests again.

=cut
