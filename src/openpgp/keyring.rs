//! Certificates, and the centre's own key.
