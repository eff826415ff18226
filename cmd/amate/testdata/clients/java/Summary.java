import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.ValidationOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r4.model.MetadataResource;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;

/**
 * The judgement of HL7's reference validator, as HAPI carries it, on patient summaries:
 * by the profiles of the guide whose files are in the first folder, on each document in
 * the second. It prints what is an error, and how many documents it has looked at.
 */
public class Summary {
    static List<Path> files(String folder, String pattern) throws Exception {
        try (Stream<Path> all = Files.list(Path.of(folder))) {
            return all.filter(f -> f.getFileName().toString().matches(pattern)).sorted().collect(Collectors.toList());
        }
    }

    public static void main(String[] args) throws Exception {
        FhirContext r4 = FhirContext.forR4();
        PrePopulatedValidationSupport guide = new PrePopulatedValidationSupport(r4);
        for (Path file : files(args[0], "(StructureDefinition|ValueSet|CodeSystem)-.*\\.json")) {
            guide.addResource((MetadataResource) r4.newJsonParser().parseResource(Files.readString(file)));
        }
        UnknownCodeSystemWarningValidationSupport unknown = new UnknownCodeSystemWarningValidationSupport(r4);
        unknown.setNonExistentCodeSystemSeverity(IValidationSupport.IssueSeverity.WARNING);
        FhirInstanceValidator module = new FhirInstanceValidator(new ValidationSupportChain(guide,
            new DefaultProfileValidationSupport(r4), new CommonCodeSystemsTerminologyService(r4),
            new InMemoryTerminologyServerValidationSupport(r4), unknown));
        module.setBestPracticeWarningLevel(BestPracticeWarningLevel.Ignore);
        FhirValidator validator = r4.newValidator().registerValidatorModule(module);
        ValidationOptions profile = new ValidationOptions().addProfile("http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips");
        long errors = 0;
        int documents = 0;
        for (Path file : files(args[1], ".*\\.json")) {
            documents++;
            errors += validator.validateWithResult(Files.readString(file), profile).getMessages().stream()
                .filter(m -> m.getSeverity().compareTo(ResultSeverityEnum.ERROR) >= 0)
                .peek(m -> System.out.println(file.getFileName() + ": " + m.getLocationString() + ": " + m.getMessage()))
                .count();
        }
        System.out.println(documents + " checks");
        System.exit(errors == 0 ? 0 : 1);
    }
}
