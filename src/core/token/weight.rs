//! What a verified token takes in the cache.

use super::VerifiedToken;
use super::claim::weight;
use super::names::Names;
use crate::text::encode::encode;

/// Bytes of a [`Rendered`](crate::text::rendered::Rendered) form besides names and groups.
const RENDERED_REST: usize = 128;

impl VerifiedToken {
    /// About the bytes of its claims: a list of one letter each takes ten times its JSON.
    pub(crate) fn weight(&self) -> usize {
        let shown = self.shown.iter().map(|shown| shown.as_deref().unwrap_or_default());
        let names = self.names.as_deref().map_or(0, Names::weight);
        let parts = [
            self.texts.weight(),
            weight(self.audiences.iter().map(|audience| &**audience)),
            weight(shown),
            self.verdicts.weight(),
            names,
            self.answer.as_deref().map_or(0, <[u8]>::len),
            self.rendered_most(),
        ];
        parts.into_iter().fold(0, usize::saturating_add)
    }

    /// The most that its rendered form takes, whether or not it is there: a token is weighed when
    /// it is kept and when it leaves the cache, and it is rendered at its first export between both.
    fn rendered_most(&self) -> usize {
        let encoded = |text: Option<&str>| text.map_or(0, |text| encode(text).len());
        let principal = encoded(self.principal());
        // The principal may be a SPIFFE ID as well; the rest is the method and the name of an issuer,
        // which the configuration gives.
        let texts =
            [encoded(self.service()), principal, principal, self.groups().map_or(0, str::len)];
        texts.into_iter().fold(RENDERED_REST, usize::saturating_add)
    }

    /// Its present weight.
    #[cfg(test)]
    pub(crate) fn weight_as_it_is(&self) -> usize {
        let rendered = self.rendered.get().map_or(0, |rendered| rendered.text().len());
        self.weight().saturating_sub(self.rendered_most()).saturating_add(rendered)
    }
}
