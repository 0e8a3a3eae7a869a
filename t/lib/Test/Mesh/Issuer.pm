package Test::Mesh::Issuer;

use v5.36;

use File::Temp qw(tempdir);

use Test::Mesh::Credentials qw(new_keys);
use Test::Mesh::File;
use Test::Mesh::Server;

my $http = <<'END';
server {
    %%TLS:WHERE%%
    root DIRECTORY;
    default_type application/json;
}
END

# Begins to publish the keys of these names, of which each is made at its first mention.
sub start ($class, @names) {
    my $self = bless { directory => tempdir('issuer-XXXXXXXX', TMPDIR => 1, CLEANUP => 1) }, $class;
    chmod 0755, $self->{directory};
    $self->publish(@names);
    my $text = $http =~ s/DIRECTORY/$self->{directory}/r;
    $self->{up} = $text =~ s/WHERE/tls/r;
    $self->{down} = $text =~ s/WHERE/elsewhere/r;
    $self->{server} = Test::Mesh::Server->start($self->{up}, name => 'the issuer');
    return $self;
}

sub url ($self) { return 'https://localhost:' . $self->{server}->port('tls') . '/keys.json' }

# A `mesh_issuer` block, with lines of its own.
sub block ($self, $name, @lines) {
    return <<"END";
mesh_issuer $name {
    issuer https://$name.example;
    audience mesh;
    jwks @{[$self->url]};
    trusted_certificate %%KEYS%%/ca.pem;
    @lines
}
END
}

# Publishes the keys of these names, and no others.
sub publish ($self, @names) {
    my @keys;
    for my $name (@names) {
        $self->key($name);
        push @keys, slurp("$self->{directory}/$name.set") =~ /"keys"\s*:\s*\[(.*)\]/s;
    }
    replace("$self->{directory}/keys.json", '{"keys":[' . join(',', @keys) . ']}');
    return $self;
}

# The private key of that name, for `bearer`.
sub key ($self, $name) {
    my $path = "$self->{directory}/$name.jwk";
    new_keys($self->{directory}, $name) unless -e $path;
    return $path;
}

# Stops to listen, and begins again.
sub down ($self) { $self->{server}->reload($self->{down}); return $self }
sub up ($self) { $self->{server}->reload($self->{up}); return $self }

# How often the keys were asked for, with which answer.
sub fetches ($self, $status = qr/\d+/) {
    return scalar(() = $self->{server}->access_log =~ m{"GET /keys\.json HTTP/1\.1" (?:$status) }g);
}

sub stop ($self) { return $self->{server}->stop }

1;

__END__

=head1 NAME

Test::Mesh::Issuer - a server that publishes keys, over TLS

=head1 SYNOPSIS

    my $issuer = Test::Mesh::Issuer->start('a');
    my $server = Test::Mesh::Server->start($issuer->block('idp', 'refresh 1s; min_refresh 1s;') . $rest);
    bearer(key => $issuer->key('a'), issuer => 'https://idp.example');
    $issuer->publish('a', 'b');
    $issuer->down;
    $issuer->up;
    is $issuer->fetches(200), 2, 'two answers with keys';
    $issuer->stop;

=head1 DESCRIPTION

An Nginx with a certificate of the tests' authority, for C<localhost>. A key is made at the first
mention of its name, which is its C<kid>. While the issuer is C<down>, connections are refused.

=cut
